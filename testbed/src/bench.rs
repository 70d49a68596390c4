//! The bench. A stage is one run, and its results are rows.

mod compare;
mod dom0;
mod domain;
mod image_size;
mod json;
mod mix;
mod model;
mod page;
mod point;
mod probe;
mod reader;
mod rig_run;
mod row;
mod shared;
mod span;
mod table;

use anyhow::Result;

pub use compare::changes;
pub use json::{read, write};
pub use row::Row;
pub use table::table;

/// One thing that is run.
pub struct Stage {
    /// Its name, on the command line too.
    pub name: &'static str,
    /// Its subject, for the progress line.
    pub what: &'static str,
    /// Runs it.
    pub run: fn() -> Result<Vec<Row>>,
}

/// All stages, the quick ones first.
pub const STAGES: &[Stage] = &[
    Stage { name: "image", what: "the image's size", run: image_size::run },
    Stage { name: "model", what: "what is exact on the model of the hardware", run: model::run },
    Stage { name: "read", what: "a read of a position, natively", run: reader::run },
    Stage { name: "mix", what: "mixing natively, and what a guest has of a shared output", run: mix::run },
    Stage { name: "domain", what: "the driver domain under Xen, by streams and periods", run: domain::run },
    Stage {
        name: "page",
        what: "the driver domain and its guests under Xen, with control pages",
        run: page::run,
    },
    Stage { name: "dom0", what: "dom0's own ALSA path under the same Xen", run: dom0::run },
    Stage {
        name: "shared",
        what: "guests on one shared output under Xen, and dom0's own driver with dmix and PipeWire",
        run: shared::run,
    },
];
