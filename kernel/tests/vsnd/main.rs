//! The back end on xenstore, against a xenstored in memory, loopback's hypervisor, the model of the hardware, and
//! audiofront as the guests.

mod life;
mod support;
