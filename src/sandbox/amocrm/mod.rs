//! A strict pretend amoCRM: refuses whatever the real one would refuse.

mod faults;
mod handle;
mod model;
mod options;

pub use faults::{ActiveRule, Fault, Faults, Rule, Toggles, When};
pub use handle::{Edit, Handle, Sandbox};
pub use model::{CallNote, Contact, Kind, Lead, Link, Logged, Note, Popup, Task, Unsorted, User};
pub use options::{Integration, Limits, Options};
