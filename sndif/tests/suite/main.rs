//! The protocol's pages and rings, and peers that lie.

mod common;
mod control_page;
mod event_page;
mod page_directory;
mod ring;
