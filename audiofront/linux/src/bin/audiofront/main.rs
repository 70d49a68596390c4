//! `audiofront`: plays, records and watches positions from a Linux guest, without the kernel's driver.
fn main() {}
