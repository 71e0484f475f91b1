//! The deciding half of Trimtab.
