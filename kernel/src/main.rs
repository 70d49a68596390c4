//! The driver domain's image.
fn main() {}
