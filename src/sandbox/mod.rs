//! A pretend amoCRM and a pretend PBX, for `perezvon demo` and for the tests.

pub mod amocrm;
pub mod pbx;
