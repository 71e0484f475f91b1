//! What an ordinary match costs in Rust, on tables of the shape that real sites have: the same
//! shapes, odds and kinds as `bench/match` measures from Python, with words of our own.
//! `cargo bench -p trimtab-core --bench sites [name]`; ns a match, best of many rounds. Parameters
//! have fresh values.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a measurement reads the clock, and says what it read"
)]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use trimtab_core::route::{
    HeaderMatch, HeaderTest, Headers, HostPattern, PathMatch, Pattern, Precedence, Request, RouteTable, Rule,
    TextKind, TextMatch,
};

const HOST: &str = "api.shop.example";
const MANY: usize = 100_000;
/// How many rounds each request is asked at least.
const ROUNDS: usize = 15;
/// So many requests are timed together.
const CHUNK: usize = 1_000;

/// A shape spells the segments of a path, `s` a static one and `p` a parameter; with the sets of
/// methods of its paths, and how many there are of each.
const GITHUB: &[(&str, &[(&str, usize)])] = &[
    ("s", &[("GET", 9), ("GET POST", 2), ("GET PUT", 1), ("POST", 1)]),
    ("sp", &[("GET", 2), ("GET DELETE", 3)]),
    ("spp", &[("GET DELETE", 1)]),
    ("spps", &[("GET", 15), ("GET POST", 8), ("GET PUT DELETE", 1), ("GET PUT", 1), ("POST", 1)]),
    ("sppsp", &[("GET", 5), ("GET DELETE", 7), ("GET PUT DELETE", 1), ("GET POST", 1)]),
    ("sppsps", &[("GET", 5), ("GET POST", 2), ("GET PUT", 2), ("GET POST PUT DELETE", 1), ("POST", 1)]),
    ("sppspsp", &[("DELETE", 1)]),
    ("sppss", &[("GET", 5), ("GET POST", 1), ("POST", 4)]),
    ("sppssp", &[("GET", 4)]),
    ("sps", &[("GET", 16), ("GET POST", 2), ("GET PUT DELETE", 1), ("DELETE", 1), ("POST", 1)]),
    ("spsp", &[("GET", 1), ("GET DELETE", 2), ("GET PUT DELETE", 2)]),
    ("spspp", &[("GET PUT DELETE", 1)]),
    ("spss", &[("GET", 2)]),
    ("spssp", &[("GET", 1)]),
    ("ss", &[("GET", 12), ("GET POST", 2), ("GET POST DELETE", 1), ("POST", 1)]),
    ("ssp", &[("GET", 2), ("GET DELETE", 1), ("GET PUT DELETE", 1)]),
    ("sspp", &[("GET PUT DELETE", 2)]),
    ("ssps", &[("GET PUT DELETE", 1)]),
    ("sssp", &[("GET", 3)]),
    ("ssspppp", &[("GET", 1)]),
];
/// The commonest shapes of GitLab's web routes, and how many paths have each.
const GITLAB: &str = "sss 248 ppssps 159 ss 141 ppsss 120 spsss 84 ppss 78 ppssp 73 ssps 67 spss 65 \
    pps 58 ppssss 50 ppsp 47 ssss 45 spssps 38 spssp 27 ssp 26 sssp 22 sssps 21 spssss 18 sps 17 s 15 \
    ppsspsp 15 spsssps 15 spsp 13 ppsspss 11 ppsssp 10 ppsssps 9 ppsps 9 spsspsp 8";
const METHODS: &[(&str, usize)] = &[("GET", 131), ("POST", 29), ("DELETE", 28), ("PUT", 15)];
const NOUNS: &str = "accounts alerts archives audits badges baskets batches bills boards bookings brands \
    bundles carriers carts catalogs channels claims clients coupons couriers credits crews depots \
    deposits discounts drafts drivers events exports feeds fleets forecasts gifts grants imports \
    invoices items ledgers lockers margins markets menus notices offers orders parcels partners \
    payments pickups plans policies prices products quotas quotes receipts refunds regions returns \
    reviews shelves shifts stores suppliers";
const QUALIFIERS: &str = "active by-day by-region by-store by-week closed count current details disputed \
    draft due expired export failed flagged health history import index latest limits locked merged \
    open owners pending preview recent rejected scheduled search settings shared sorted status summary \
    totals unpaid verified";
const THREE: [&str; 3] = ["x-tenant", "x-region", "x-tier"];

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }

    fn pick<'a, T>(&mut self, odds: &'a [(T, usize)]) -> &'a T {
        let mut left = self.roll(odds.iter().map(|(_, odds)| odds).sum());
        let chosen = odds.iter().find(|(_, odds)| {
            let found = left < *odds;
            left = left.wrapping_sub(*odds);
            found
        });
        &chosen.unwrap().0
    }
}

/// The segments of a path: one of the words, or a parameter.
type Path = Vec<Option<usize>>;

struct Words {
    nouns: Vec<String>,
    all: Vec<String>,
}

impl Words {
    fn new() -> Self {
        let nouns: Vec<String> = NOUNS.split_whitespace().map(Into::into).collect();
        let mut all = nouns.clone();
        for noun in &nouns {
            all.extend(QUALIFIERS.split_whitespace().map(|qualifier| format!("{noun}-{qualifier}")));
        }
        Self { nouns, all }
    }

    /// A path of this shape, its first segment among so many words.
    fn path(&self, shape: &str, first: usize, dice: &mut Dice) -> Path {
        let mut segment = |(place, kind)| {
            let among = if place == 0 { first } else { self.all.len() };
            (kind == 's').then(|| dice.roll(among))
        };
        shape.chars().enumerate().map(&mut segment).collect()
    }

    fn text(&self, path: &Path, mut parameter: impl FnMut() -> String) -> String {
        let mut segment = |s: &Option<usize>| s.map_or_else(&mut parameter, |word| self.all[word].clone());
        path.iter().flat_map(|s| ["/".to_owned(), segment(s)]).collect()
    }

    fn github(&self) -> Vec<(Path, &'static str)> {
        let mut dice = Dice(203);
        let mut seen = BTreeSet::new();
        let mut routes = Vec::new();
        for (shape, sets) in GITHUB {
            for (methods, count) in *sets {
                for _ in 0..*count {
                    // Nearly half of the list stands below one word with two parameters.
                    let first = if shape.starts_with("spp") { 1 } else { 20 };
                    let path = std::iter::repeat_with(|| self.path(shape, first, &mut dice));
                    let path = path.into_iter().find(|path| seen.insert(path.clone())).unwrap();
                    routes.extend(methods.split(' ').map(|method| (path.clone(), method)));
                }
            }
        }
        in_order(self, routes)
    }

    fn gitlab(&self, count: usize) -> Vec<(Path, &'static str)> {
        let mut dice = Dice(count as u64);
        let odds: Vec<&str> = GITLAB.split_whitespace().collect();
        let odds: Vec<(&str, usize)> =
            odds.chunks(2).map(|pair| (pair[0], pair[1].parse().unwrap())).collect();
        let mut seen = BTreeSet::new();
        let mut routes = Vec::new();
        while routes.len() < count {
            let shape = *dice.pick(&odds);
            let first = if shape == "s" { self.all.len() } else { self.nouns.len() };
            let path = self.path(shape, first, &mut dice);
            if seen.insert(path.clone()) {
                routes.push((path, *dice.pick(METHODS)));
            }
        }
        in_order(self, routes)
    }
}

/// A static segment before a parameter, so that the first that matches is the most specific.
fn in_order(words: &Words, mut routes: Vec<(Path, &'static str)>) -> Vec<(Path, &'static str)> {
    let key =
        |path: &Path| -> Vec<_> { path.iter().map(|s| (s.is_none(), s.map(|w| &words.all[w]))).collect() };
    routes.sort_by(|(a, x), (b, y)| key(a).cmp(&key(b)).then(x.cmp(y)));
    routes
}

struct Asked {
    target: String,
    host: String,
    method: &'static str,
    headers: Vec<(&'static str, String)>,
}

fn rule_of(words: &Words, (path, method): &(Path, &'static str)) -> Rule {
    let text = words.text(path, || "[^/]+".into());
    let asked = if path.contains(&None) {
        PathMatch::regex(Pattern::new(&text).unwrap())
    } else {
        PathMatch::exact(&text)
    };
    let mut rule = Rule::named("r").with_path(asked).with_hosts(vec![HostPattern::parse(HOST).unwrap()]);
    rule.set_methods(vec![(*method).into()]);
    rule
}

fn asked_of(words: &Words, (path, method): &(Path, &'static str), dice: &mut Dice) -> Asked {
    let target = words.text(path, || format!("{:010x}7", dice.roll(1 << 31) << 8));
    Asked { target, host: HOST.into(), method, headers: Vec::new() }
}

/// Headers that are found by their number, as a caller does who looked them up once.
struct Carried<'a>(&'a [(&'static str, String)]);

impl Headers for Carried<'_> {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        let mut values = self.0.iter().filter(|(other, _)| *other == name).peekable();
        values.peek()?;
        Some(values.any(|(_, value)| test(value.as_bytes())))
    }

    fn any_numbered(&self, number: u32, _: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        self.0.get(number as usize).map(|(_, value)| test(value.as_bytes()))
    }
}

#[inline(never)]
fn ask(table: &RouteTable, asked: &Asked) -> Option<u32> {
    let headers = Carried(&asked.headers);
    let request = Request {
        host: asked.host.as_bytes(),
        method: Some(asked.method.as_bytes()),
        headers: &headers,
        ..Request::to(asked.target.as_bytes())
    };
    table.find(&request)
}

/// Measures one table: every request once a round, in their order. Of each chunk of them the best
/// round counts, since a machine is seldom alone for long.
fn measure(name: &str, rules: impl FnOnce() -> Vec<Rule>, requests: &[Asked]) {
    if std::env::args().skip(1).any(|a| !a.starts_with('-')) && std::env::args().all(|a| !name.contains(&a)) {
        return;
    }
    let rules: Vec<_> = rules().into_iter().map(|rule| Arc::new(rule.checked().unwrap())).collect();
    let count = rules.len();
    let start = Instant::now();
    let table = RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap();
    let built = start.elapsed();
    let mut least = vec![f64::MAX; requests.len().div_ceil(CHUNK)];
    for _ in 0..(1_000_000 / requests.len()).max(ROUNDS) {
        for (chunk, least) in requests.chunks(CHUNK).zip(&mut least) {
            let start = Instant::now();
            let found = chunk.iter().filter(|asked| black_box(ask(&table, asked)).is_some()).count();
            *least = least.min(start.elapsed().as_nanos() as f64);
            assert_eq!(found, chunk.len(), "{name}: every request has its rule");
        }
    }
    let best = least.iter().sum::<f64>() / requests.len() as f64;
    println!(
        "{name:<40} {count:>7} rules {best:>7.1} ns {:>8.1} ms build {:>5.0} B/rule",
        built.as_secs_f64() * 1e3,
        table.size_bytes() as f64 / count as f64,
    );
}

fn site(name: &str, words: &Words, routes: &[(Path, &'static str)], count: usize) {
    let mut dice = Dice(7);
    let rules = || routes.iter().map(|route| rule_of(words, route)).collect();
    let requests: Vec<_> =
        (0..count).map(|_| asked_of(words, &routes[dice.roll(routes.len())], &mut dice)).collect();
    measure(name, rules, &requests);
    if routes.len() == MANY {
        measure(&format!("{name}, 100 hot"), rules, &requests[..100]);
    }
}

fn three_headers(words: &Words, routes: &[(Path, &'static str)]) {
    let mut dice = Dice(7);
    let three = |n: usize| {
        (0..3).map(move |j| (THREE[j], format!("{}-{}", &THREE[j][2..], n % (7 + j)))).collect::<Vec<_>>()
    };
    let rule = |(n, route)| {
        let text =
            |value: &str| HeaderTest::Text(TextMatch::new(TextKind::Exact(value.into()), false).unwrap());
        let mut rule = rule_of(words, route);
        let headers = three(n);
        rule.set_headers(
            headers.iter().map(|(h, v)| HeaderMatch::new(h, text(v), false, false).unwrap()).collect(),
        );
        rule
    };
    let request = |_| {
        let n = dice.roll(routes.len());
        let mut asked = asked_of(words, &routes[n], &mut dice);
        asked.headers = three(n);
        asked.headers.push(("accept", "application/json".into()));
        asked
    };
    let requests: Vec<_> = (0..1_000).map(request).collect();
    measure("github, three headers", || routes.iter().enumerate().map(rule).collect(), &requests);
}

/// Tables of one kind of rule each.
fn kinds(words: &Words) {
    let word = |n: usize| words.all[n * 7 % words.all.len()].clone();
    let noun = |n: usize| words.nouns[n % words.nouns.len()].clone();
    let on = |path: PathMatch, host: &str| {
        Rule::named("r").with_path(path).with_hosts(vec![HostPattern::parse(host).unwrap()])
    };
    let mut dice = Dice(7);
    let mut chosen = |count: usize| (0..10_000).map(|_| dice.roll(count)).collect::<Vec<_>>();
    let asked = |target: String, host: String| Asked { target, host, method: "GET", headers: Vec::new() };

    let start = |n: usize| format!("/{}/{}/{n}/", noun(n), word(n));
    let rules = || (0..MANY).map(|n| on(PathMatch::prefix(&start(n)), HOST)).collect();
    let requests: Vec<_> = chosen(MANY).into_iter().map(|n| asked(start(n) + "x?q=1", HOST.into())).collect();
    measure("prefixes", rules, &requests);

    let host = |n: usize| format!("{}-{}.shop.example", noun(n % 1000), n % 1000);
    let path = |n: usize, part: &str| format!("/{}/{part}/{}", word(n / 1000), noun(n / 1000));
    let regex = |n| PathMatch::regex(Pattern::new(&path(n, "[^/]+")).unwrap());
    let rules = || (0..MANY).map(|n| on(regex(n), &host(n))).collect();
    let requests: Vec<_> =
        chosen(MANY).into_iter().map(|n| asked(path(n, &format!("{:x}", n * 7919)), host(n))).collect();
    measure("thousand hosts", rules, &requests);

    let host = |n: usize| format!("{}-{n}.{}example", word(n), "zone.".repeat(n % 6));
    let rules = || (0..10_000).map(|n| on(PathMatch::prefix("/"), &format!("*.{}", host(n)))).collect();
    let requests: Vec<_> =
        chosen(10_000).into_iter().map(|n| asked("/x".into(), format!("a.{}", host(n)))).collect();
    measure("wildcard hosts", rules, &requests);

    let path = |n: usize| format!("/{}{}/", word(n % 250), "/sub".repeat(40 - n / 250));
    let rules = || (0..10_000).map(|n| Rule::named("r").with_path(PathMatch::prefix(&path(n)))).collect();
    let requests: Vec<_> = chosen(10_000).into_iter().map(|n| asked(path(n) + "end", HOST.into())).collect();
    measure("nested prefixes", rules, &requests);
    measure("one prefix", || vec![Rule::named("r").with_path(PathMatch::prefix("/"))], &requests[..100]);
}

fn main() {
    let words = Words::new();
    let github = words.github();
    site("github", &words, &github, 1_000);
    three_headers(&words, &github);
    site("gitlab 3500", &words, &words.gitlab(3_500), 10_000);
    site("gitlab 10k", &words, &words.gitlab(10_000), 10_000);
    site("gitlab 100k", &words, &words.gitlab(MANY), MANY);
    let mut whole: BTreeSet<Path> = BTreeSet::new();
    let mut dice = Dice(7);
    while whole.len() < MANY {
        whole.insert(words.path(["ss", "sss", "ssss"][dice.roll(3)], words.nouns.len(), &mut dice));
    }
    let whole: Vec<_> = whole.into_iter().map(|path| (path, "GET")).collect();
    site("whole paths", &words, &whole, 10_000);
    kinds(&words);
}
