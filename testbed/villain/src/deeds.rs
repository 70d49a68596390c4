//! The deeds. Each takes about a second, or as long as the back end makes it wait.

mod breaks;
pub(crate) mod die;
mod flood;
mod open;
mod revoke;
mod scribble;

use anyhow::Result;

use crate::card::Card;
use crate::connection::Connection;

/// Does a deed. It may use the connection that is there, make one, or leave a broken one.
pub(crate) type Deed = fn(&mut Card, &mut Option<Connection>) -> Result<()>;

/// All deeds by name.
pub(crate) const DEEDS: [(&str, Deed); 6] = [
    ("open", open::deed),
    ("flood", flood::deed),
    ("scribble", scribble::deed),
    ("revoke", revoke::deed),
    ("break", breaks::deed),
    ("die", die::deed),
];
