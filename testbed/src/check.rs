//! Checks of the workspace that no lint has.

pub mod circles;
pub mod house_rules;
pub mod layers;
pub mod rooms;
