//! The back end on xenstore, against a xenstored in memory, the hypervisor in memory, the model of the hardware, and
//! audiofront as the guests.

mod allocation;
mod control_page;
mod directory;
mod ending;
mod hostile;
mod life;
mod rights;
mod settings;
mod several;
mod state;
mod support;
mod trouble;
mod volume;
