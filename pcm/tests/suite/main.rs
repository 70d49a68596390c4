//! Properties of the crate's arithmetic, against plain references in `f64`.

mod channel_maps;
mod formats;
mod gains;
mod mixes;
mod rates;
mod reference;
mod voices;
