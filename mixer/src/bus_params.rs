//! The bus that a shared port gets.

use audioback::card::{Card, Port, PortIndex, PortSetup, StreamParams};
use sndif::format::SampleFormat;

use crate::layout::Layout;

/// The lowest rate that a first voice gives its bus: a bus of 8 kHz would be a telephone for everyone who joins.
const LOWEST_BUS_HZ: u32 = 44_100;

/// Formats of a bus, best first. 0 is silence in both.
const FORMATS: [SampleFormat; 2] = [SampleFormat::S32Le, SampleFormat::S16Le];

/// The parameters of a bus for its first voice. `None`: the port has none that will do.
pub(crate) fn bus_params<T, C: Card<T>>(
    card: &C,
    index: PortIndex,
    port: &Port,
    setup: &PortSetup,
    first: &StreamParams,
) -> Option<StreamParams> {
    let of_first = Some(first.rate_hz).filter(|rate_hz| *rate_hz >= LOWEST_BUS_HZ);
    let highest = port.rates_hz.into_iter().max();
    let rates = [setup.rate_hz, of_first, Some(48_000), highest];
    let channels = [first.channels, 2, port.channels_min, port.channels_max];
    for rate_hz in rates.into_iter().flatten() {
        for channels in channels {
            for format in FORMATS {
                let params = StreamParams { rate_hz, format, channels };
                if Layout::of(&params).is_some() && card.supports(index, &params) {
                    return Some(params);
                }
            }
        }
    }
    None
}
