//! The back end on xenstore, against models of xenstored, of the hypervisor and of the hardware.
//! The guests run audiofront.

mod allocation;
mod card;
mod control_page;
mod directory;
mod ending;
mod floods;
mod hostile;
mod idle;
mod idle_modes;
mod life;
mod limits;
mod monitors;
mod names;
mod patience;
mod peaks;
mod plugs;
mod port_settings;
mod port_use;
mod power;
mod replies;
mod rights;
mod settings;
mod several;
mod status;
mod support;
mod throttle;
mod trims;
mod trouble;
mod turns;
mod volume;
