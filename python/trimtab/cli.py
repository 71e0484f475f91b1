"""The command line: parses and hands on. What a command does is in ``trimtab.commands``.

Exit codes: 0 done, 1 the command found what it looks for (errors in lint, an act that failed
in demo) or could not do its work, 2 wrong usage. Heavy libraries are imported by the command
that needs them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trimtab.errors import InvalidDocument, TrimtabError

app = typer.Typer(
    name="trimtab",
    help="Keeps the weights of weighted mesh routes right, from live evidence.",
    epilog="Example: trimtab plan --manifests deploy/mesh --prometheus http://prometheus:9090",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Manifests = Annotated[
    list[Path] | None, typer.Option(help="Files or directories of manifests.", show_default=False)
]
EnvoyFile = Annotated[
    Path | None,
    typer.Option(help="An Envoy v3 RouteConfiguration (YAML or JSON), or a /config_dump."),
]
ConfigurationName = Annotated[
    str | None, typer.Option(help="Name of the RouteConfiguration, where there are several.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Gateway = Annotated[str | None, typer.Option(help="Enter at this VirtualGateway.")]
Service = Annotated[str | None, typer.Option(help="Enter at this VirtualService.")]
Requests = Annotated[Path, typer.Option(help="One JSON request a line; - for standard input.")]
Values = Annotated[
    list[str] | None,
    typer.Option("--values", help="For placeholders: a YAML file, or KEY=VALUE; repeatable."),
]
Config = Annotated[Path | None, typer.Option(help="Settings file (YAML, camelCase keys).")]
Kubeconfig = Annotated[Path | None, typer.Option(help="Use the cluster of this kubeconfig.")]
InCluster = Annotated[bool | None, typer.Option("--in-cluster", help="Use this pod's cluster.")]
Namespaces = Annotated[
    list[str] | None, typer.Option("--namespace", help="Watch these namespaces; default all.")
]
Policies = Annotated[
    list[Path] | None, typer.Option(help="Files or directories of WeightPolicies.")
]
State = Annotated[Path | None, typer.Option(help="File that remembers ramps of file policies.")]
Scrape = Annotated[list[str] | None, typer.Option(help="Envoy admin address to read; repeatable.")]
Prometheus = Annotated[str | None, typer.Option(help="URL of a Prometheus to query.")]
TokenFile = Annotated[Path | None, typer.Option(help="Bearer token for Prometheus.")]
CaFile = Annotated[Path | None, typer.Option(help="CA of Prometheus's certificate.")]
Settle = Annotated[
    float | None, typer.Option(help="Windows end this many seconds before a reading.")
]
UpSelector = Annotated[str | None, typer.Option(help="Label matchers for up, e.g. job='envoy'.")]


@app.command(epilog="Example: trimtab run --in-cluster --prometheus http://prometheus:9090")
def run(
    config: Config = None,
    manifests: Manifests = None,
    kubeconfig: Kubeconfig = None,
    in_cluster: InCluster = None,
    namespaces: Namespaces = None,
    policies: Policies = None,
    state: State = None,
    scrape: Scrape = None,
    prometheus: Prometheus = None,
    prometheus_token_file: TokenFile = None,
    prometheus_ca_file: CaFile = None,
    prometheus_settle_seconds: Settle = None,
    prometheus_up_selector: UpSelector = None,
    tick_seconds: Annotated[float | None, typer.Option(help="From decision to decision.")] = None,
    source_timeout_seconds: Annotated[float | None, typer.Option(help="For a metric read.")] = None,
    verify_seconds: Annotated[float | None, typer.Option(help="For Envoys to acknowledge.")] = None,
    xds: Annotated[str | None, typer.Option(help="Serve xDS at HOST:PORT.")] = None,
    grpc: Annotated[str | None, typer.Option(help="Serve the gRPC API at HOST:PORT.")] = None,
    http: Annotated[str | None, typer.Option(help="Serve metrics and health at HOST:PORT.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM, for all servers.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM key of the certificate.")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="CA of allowed clients.")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Allow plaintext beyond loopback.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(help="Append every decision to this file as JSON lines.")
    ] = None,
    dry_run: Annotated[
        bool | None, typer.Option("--dry-run", help="Shadow mode: write nothing.")
    ] = None,
    grace_seconds: Annotated[float | None, typer.Option(help="For calls to end at stop.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_json: Annotated[
        bool | None, typer.Option("--log-json/--log-text", help="Form of the log.")
    ] = None,
) -> None:
    """Steer, and serve xDS, the gRPC API, metrics and health, until told to stop."""
    flags = {name: value for name, value in locals().items() if name != "config"}
    from trimtab.commands.run import run_command

    _finish(run_command(config, flags))


@app.command(epilog="Example: trimtab plan --manifests mesh/ --scrape http://127.0.0.1:9901 --json")
def plan(
    config: Config = None,
    manifests: Manifests = None,
    kubeconfig: Kubeconfig = None,
    in_cluster: InCluster = None,
    namespaces: Namespaces = None,
    policies: Policies = None,
    state: State = None,
    scrape: Scrape = None,
    prometheus: Prometheus = None,
    prometheus_token_file: TokenFile = None,
    prometheus_ca_file: CaFile = None,
    prometheus_settle_seconds: Settle = None,
    prometheus_up_selector: UpSelector = None,
    window_seconds: Annotated[
        float, typer.Option(min=1, help="How much live traffic to look at.")
    ] = 30.0,
    as_json: Json = False,
) -> None:
    """Show what one decision would change now, and why. Writes nothing."""
    flags = {
        name: value
        for name, value in locals().items()
        if name not in ("config", "window_seconds", "as_json")
    }
    from trimtab.commands.plan import plan_command

    _finish(plan_command(config, flags, window_seconds, as_json=as_json))


@app.command(
    epilog="Example: trimtab match --envoy routes.yaml --requests requests.jsonl --json\n\n"
    "Example: trimtab match --manifests mesh/ --requests requests.jsonl --json"
)
def match(
    manifests: Manifests = None,
    envoy: EnvoyFile = None,
    name: ConfigurationName = None,
    requests: Requests = Path("-"),
    gateway: Gateway = None,
    service: Service = None,
    values: Values = None,
    as_json: Json = False,
) -> None:
    """Say for each request which route, rule and target it gets, as Envoy would."""
    if _over_envoy(manifests, envoy, name, gateway or service or values):
        from trimtab.commands.match_envoy import match_envoy_command

        _finish(match_envoy_command(envoy or Path(), name, requests, as_json=as_json))
    from trimtab.commands.match import match_command

    _finish(
        match_command(
            manifests or [], requests, gateway, service, values=values or (), as_json=as_json
        )
    )


@app.command(
    epilog="Example: trimtab explain --envoy routes.yaml --path /cart/1 --header x-user=me\n\n"
    "Example: trimtab explain --manifests mesh/ --path /cart/1 --header x-user=me"
)
def explain(
    manifests: Manifests = None,
    envoy: EnvoyFile = None,
    name: ConfigurationName = None,
    requests: Annotated[
        Path | None, typer.Option(help="One JSON request a line, instead of the options below.")
    ] = None,
    path: Annotated[str, typer.Option(help="Path of the request, with its query.")] = "/",
    host: Annotated[str, typer.Option(help="Host of the request.")] = "",
    method: Annotated[str, typer.Option(help="Method of the request.")] = "GET",
    header: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeatable.")] = None,
    scheme: Annotated[str, typer.Option(help="http or https.")] = "http",
    port: Annotated[int | None, typer.Option(help="Port that the request arrives at.")] = None,
    random: Annotated[int | None, typer.Option(help="Number to pick a target by.")] = None,
    gateway: Gateway = None,
    service: Service = None,
    values: Values = None,
    as_json: Json = False,
) -> None:
    """Show every rule that could have won a request, and the predicate that beat it."""
    request: dict[str, Any] = {
        "path": path,
        "host": host,
        "method": method,
        "scheme": scheme,
        "port": port,
        "headers": header or [],
        "random": random,
    }
    if _over_envoy(manifests, envoy, name, gateway or service or values):
        from trimtab.commands.match_envoy import explain_envoy_command

        _finish(explain_envoy_command(envoy or Path(), name, request, requests, as_json=as_json))
    from trimtab.commands.match import explain_command

    _finish(
        explain_command(
            manifests or [],
            request,
            requests,
            gateway,
            service,
            values=values or (),
            as_json=as_json,
        )
    )


@app.command(epilog="Example: trimtab lint mesh/ policies/ --values NAMESPACE=shop --json")
def lint(
    paths: Annotated[list[Path], typer.Argument(help="Files or directories of manifests.")],
    xds: Annotated[bool, typer.Option("--xds", help="List what our xDS does not honour.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Write the v1beta2 form of older documents in their place."),
    ] = False,
    values: Values = None,
    as_json: Json = False,
) -> None:
    """Check manifests and policies. Exit 1 when there are errors."""
    from trimtab.commands.lint import lint_command

    _finish(
        lint_command(paths, xds=xds, strict=strict, fix=fix, values=values or (), as_json=as_json)
    )


@app.command(epilog="Example: trimtab graph mesh/ --format svg > mesh.svg")
def graph(
    paths: Annotated[list[Path], typer.Argument(help="Files or directories of manifests.")],
    form: Annotated[str, typer.Option("--format", help="text, dot, svg or json.")] = "text",
    values: Values = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Draw gateways, routes, services, routers and nodes, with their weights."""
    from trimtab.commands.graph import graph_command

    _finish(graph_command(paths, "json" if as_json else form, values=values or ()))


@app.command(epilog="Example: trimtab status --http http://127.0.0.1:8080")
def status(
    http: Annotated[
        str, typer.Option(help="Where a running Trimtab serves HTTP.")
    ] = "http://127.0.0.1:8080",
    as_json: Json = False,
) -> None:
    """Show what a running Trimtab decided last, and which Envoys follow it."""
    from trimtab.commands.status import status_command

    _finish(status_command(http, as_json=as_json))


VirtualService = Annotated[str, typer.Argument(help="NAMESPACE/NAME of a VirtualService.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show it, and write nothing.")]


@app.command("insert-router", epilog="Example: trimtab insert-router shop/cart --kubeconfig admin")
def insert_router(
    service: VirtualService,
    config: Config = None,
    manifests: Manifests = None,
    kubeconfig: Kubeconfig = None,
    in_cluster: InCluster = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put a VirtualRouter between a VirtualService and its VirtualNode, so that it can be weighed."""
    flags = _store_flags(manifests, kubeconfig, in_cluster, dry_run=dry_run)
    from trimtab.commands.router import router_command

    _finish(router_command(config, flags, service, removing=False, as_json=as_json))


@app.command("remove-router", epilog="Example: trimtab remove-router shop/cart --kubeconfig admin")
def remove_router(
    service: VirtualService,
    config: Config = None,
    manifests: Manifests = None,
    kubeconfig: Kubeconfig = None,
    in_cluster: InCluster = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take a router that insert-router made away again."""
    flags = _store_flags(manifests, kubeconfig, in_cluster, dry_run=dry_run)
    from trimtab.commands.router import router_command

    _finish(router_command(config, flags, service, removing=True, as_json=as_json))


@app.command(
    "envoy-bootstrap",
    epilog="Example: trimtab envoy-bootstrap --node mesh/m/virtualGateway/gw_shop",
)
def envoy_bootstrap(
    node: Annotated[
        str, typer.Option(help="mesh/MESH/virtualGateway/NAME or mesh/MESH/virtualNode/NAME.")
    ],
    xds: Annotated[str, typer.Option(help="Where Trimtab serves xDS.")] = "127.0.0.1:18000",
    admin: Annotated[str, typer.Option(help="Where Envoy's admin listens.")] = "127.0.0.1:9901",
    tls_ca: Annotated[str, typer.Option(help="CA of Trimtab's certificate, a path in Envoy.")] = "",
    tls_certificate: Annotated[str, typer.Option(help="Envoy's own certificate.")] = "",
    tls_key: Annotated[str, typer.Option(help="Key of Envoy's own certificate.")] = "",
    as_json: Json = False,
) -> None:
    """Print a bootstrap for plain Envoy that takes its configuration from Trimtab."""
    from trimtab.commands.bootstrap import bootstrap_command

    tls = (tls_ca, tls_certificate, tls_key)
    _finish(bootstrap_command(node, xds, admin, tls, as_json=as_json))


@app.command(epilog="Example: trimtab demo --report report")
def demo(
    report: Annotated[Path, typer.Option(help="Directory for the report.")] = Path("report"),
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On a real kube-apiserver and Prometheus.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the main job live on a real Envoy, in four acts, and write a report."""
    from trimtab.demo import run as run_demo

    _finish(run_demo(report, cluster=cluster, as_json=as_json))


@app.command()
def version(as_json: Json = False) -> None:
    """Print the version."""
    import json

    from trimtab import __version__

    typer.echo(json.dumps({"version": __version__}) if as_json else __version__)


def _store_flags(
    manifests: list[Path] | None, kubeconfig: Path | None, in_cluster: bool | None, *, dry_run: bool
) -> dict[str, Any]:
    return {
        "manifests": manifests,
        "kubeconfig": kubeconfig,
        "in_cluster": in_cluster,
        "dry_run": dry_run,
    }


def _over_envoy(
    manifests: list[Path] | None, envoy: Path | None, name: str | None, of_a_mesh: object
) -> bool:
    """Whether Envoy's own configuration is asked, and not manifests: one of them must be given."""
    if bool(manifests) == (envoy is not None):
        raise InvalidDocument("give --manifests or --envoy, one of them")
    if envoy is not None and of_a_mesh:
        raise InvalidDocument("--gateway, --service and --values go with --manifests")
    if envoy is None and name is not None:
        raise InvalidDocument("--name goes with --envoy")
    return envoy is not None


def _finish(code: int) -> None:
    raise typer.Exit(code)


def main() -> None:
    """Run the command line; an error that we know is one sentence, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # documents may hold what no encoding has
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except TrimtabError as error:
        sys.stderr.write(f"trimtab: {error}\n")
        sys.exit(2 if isinstance(error, InvalidDocument) else 1)


if __name__ == "__main__":
    main()
