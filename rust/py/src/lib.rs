//! Python binding of `trimtab-core`: one module per room of the core. It translates, and does
//! nothing else.

mod chance;
mod error;
mod pick;
mod route;
mod solve;

use pyo3::prelude::*;

/// The compiled half of Trimtab.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::pick::Picker;
    #[pymodule_export]
    use super::route::{HeaderMatch, Match, QueryMatch, RouteTable, Rule};
    #[pymodule_export]
    use super::solve::allocate;

    use super::error::RuleError;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let error = module.py().get_type::<RuleError>();
        // Present on the class, so that readers and type checkers find them.
        error.setattr("rule", "")?;
        error.setattr("field", "")?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        super::chance::reseed_forked(module)?;
        super::route::install(module.py())?;
        module.add("RuleError", error)
    }
}
