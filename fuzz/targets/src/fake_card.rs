//! The card without a controller that the back end's own tests use: it panics when the back end breaks the card's rules.

#[expect(clippy::new_without_default, reason = "the tests' own file, where nothing is public")]
#[path = "../../../audioback/tests/device/support/card.rs"]
pub mod card;

pub use card::{Controls, FakeCard};
