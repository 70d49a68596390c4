//! This guest's cards, as the toolstack describes them in xenstore.

use sndif::Direction;
use sndif::format::FormatSet;
use sndif::nodes;

use crate::error::{Error, ErrorKind, Result};
use crate::xenstore::Store;

/// Most cards in the list.
const MAX_CARDS: usize = 64;
/// Most PCM devices in a card, and most streams in a device. No back end serves more.
const MAX_CHILDREN: usize = 32;

/// A card.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CardInfo {
    /// Its number: `device/vsnd/INDEX`.
    pub index: u32,
    /// Short name, for people; may be empty.
    pub short_name: String,
    /// Long name, for people; may be empty.
    pub long_name: String,
    /// The back end's domain.
    pub back_end: u16,
    /// Its streams in xenstore's order. This crate's stream numbers index this list.
    pub streams: Vec<StreamInfo>,
    pub(crate) back_path: String,
}

/// A stream of a card. [`Card::query`](crate::Card::query) asks the back end for values that
/// xenstore leaves out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Number of its PCM device in the card.
    pub pcm: u32,
    /// Its number in the PCM device.
    pub stream: u32,
    /// Playback or capture.
    pub direction: Direction,
    /// The name that is unique among this guest's streams; may be empty.
    pub unique_id: String,
    /// Frame rates in Hz; empty if xenstore names none.
    pub rates_hz: Vec<u32>,
    /// Sample formats; empty if xenstore names none.
    pub formats: FormatSet,
    /// Fewest channels, if xenstore names it.
    pub channels_min: Option<u32>,
    /// Most channels, if xenstore names it.
    pub channels_max: Option<u32>,
    /// Bytes in the largest buffer, if xenstore names it.
    pub buffer_bytes_max: Option<u32>,
}

impl StreamInfo {
    /// Whether it records what others play to an output, and not from an input: `monitor-0`, `Monitor of Speaker`.
    ///
    /// The protocol has no node for that. The `unique-id` says it, as the toolstack wrote it.
    pub fn is_monitor(&self) -> bool {
        self.direction == Direction::Capture && names_monitor(&self.unique_id)
    }

    /// The stream's directory below the card's.
    pub(crate) fn directory(&self) -> String {
        format!("{}/{}", self.pcm, self.stream)
    }
}

impl CardInfo {
    /// The card's directory in xenstore, below this guest's own.
    pub(crate) fn path(&self) -> String {
        path(self.index)
    }

    /// The number of the first stream in this direction that is no monitor's, or of the one with this `unique-id`.
    ///
    /// # Errors
    /// No such stream exists; the error lists the existing ones.
    pub fn find(&self, direction: Direction, unique_id: Option<&str>) -> Result<usize> {
        let fits = |info: &&StreamInfo| {
            info.direction == direction
                && unique_id.map_or(!info.is_monitor(), |wanted| wanted == info.unique_id)
        };
        let found = self.streams.iter().position(|info| fits(&info));
        found.ok_or_else(|| {
            let kind = match direction {
                Direction::Playback => "playback",
                Direction::Capture => "capture",
            };
            let there: Vec<String> = self
                .streams
                .iter()
                .map(|info| format!("{} ({})", info.unique_id, info.direction.node()))
                .collect();
            let wanted = unique_id.map_or(String::new(), |wanted| format!(" named {wanted}"));
            let what =
                format!("card {} has no {kind} stream{wanted}; it has: {}", self.index, there.join(", "));
            Error::new(ErrorKind::NotFound, what)
        })
    }
}

/// Whether a `unique-id` is a monitor's, by its number or by its label.
///
/// In a label only letters and digits count, as for the back end.
fn names_monitor(unique_id: &str) -> bool {
    let number = unique_id.strip_prefix("monitor-").and_then(nodes::decimal);
    let letters: String = unique_id.chars().filter(char::is_ascii_alphanumeric).collect();
    number.is_some() || letters.to_ascii_lowercase().starts_with("monitorof")
}

fn path(index: u32) -> String {
    format!("device/{}/{index}", nodes::DRIVER_NAME)
}

/// The numeric names in a node, in order.
fn numbers(store: &mut Store, path: &str, most: usize) -> Result<Vec<u32>> {
    let mut numbers: Vec<u32> = store.names(path)?.iter().filter_map(|name| nodes::decimal(name)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.truncate(most);
    Ok(numbers)
}

/// All cards of this guest, in order. Cards with an invalid description are skipped.
pub(crate) fn cards(store: &mut Store) -> Result<Vec<CardInfo>> {
    let mut cards = Vec::new();
    for index in numbers(store, &format!("device/{}", nodes::DRIVER_NAME), MAX_CARDS)? {
        cards.extend(card(store, index)?);
    }
    Ok(cards)
}

fn card(store: &mut Store, index: u32) -> Result<Option<CardInfo>> {
    let root = path(index);
    let back_end = store.read(&format!("{root}/{}", nodes::BACKEND_ID))?;
    let back_path = store.read(&format!("{root}/{}", nodes::BACKEND))?;
    let back_end = back_end.and_then(|id| nodes::decimal(&id)).and_then(|id| u16::try_from(id).ok());
    let (Some(back_end), Some(back_path)) = (back_end, back_path) else { return Ok(None) };
    let mut text = |node| Ok(store.read(&format!("{root}/{node}"))?.unwrap_or_default());
    let (short_name, long_name) = (text(nodes::SHORT_NAME)?, text(nodes::LONG_NAME)?);
    let mut streams = Vec::new();
    for pcm in numbers(store, &root, MAX_CHILDREN)? {
        for number in numbers(store, &format!("{root}/{pcm}"), MAX_CHILDREN)? {
            streams.extend(stream(store, &root, pcm, number)?);
        }
    }
    Ok(Some(CardInfo { index, short_name, long_name, back_end, streams, back_path }))
}

fn stream(store: &mut Store, root: &str, pcm: u32, stream: u32) -> Result<Option<StreamInfo>> {
    let own = format!("{root}/{pcm}/{stream}");
    let direction = store.read(&format!("{own}/{}", nodes::TYPE))?;
    // libxl writes lower case, but people may write it by hand.
    let Some(direction) = direction.and_then(|kind| Direction::from_node(&kind.to_ascii_lowercase())) else {
        return Ok(None);
    };
    let unique_id = store.read(&format!("{own}/{}", nodes::UNIQUE_ID))?.unwrap_or_default();
    // A directory inherits missing settings from the one above.
    let mut setting = |node: &str| {
        for level in [own.clone(), format!("{root}/{pcm}"), root.to_owned()] {
            if let Some(value) = store.read(&format!("{level}/{node}"))? {
                return Ok(value);
            }
        }
        Ok(String::new())
    };
    Ok(Some(StreamInfo {
        pcm,
        stream,
        direction,
        unique_id,
        rates_hz: nodes::decimals(&setting(nodes::SAMPLE_RATES)?).collect(),
        formats: FormatSet::from_list(&setting(nodes::SAMPLE_FORMATS)?),
        channels_min: nodes::decimal(&setting(nodes::CHANNELS_MIN)?).filter(|count| *count > 0),
        channels_max: nodes::decimal(&setting(nodes::CHANNELS_MAX)?).filter(|count| *count > 0),
        buffer_bytes_max: nodes::decimal(&setting(nodes::BUFFER_SIZE)?).filter(|size| *size > 0),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(direction: Direction, unique_id: &str) -> StreamInfo {
        StreamInfo {
            pcm: 0,
            stream: 0,
            direction,
            unique_id: unique_id.to_owned(),
            rates_hz: Vec::new(),
            formats: FormatSet::EMPTY,
            channels_min: None,
            channels_max: None,
            buffer_bytes_max: None,
        }
    }

    #[test]
    fn a_monitor_is_known_by_its_unique_id_and_never_picked_unasked() {
        for (unique_id, is_monitor) in [
            ("monitor-0", true),
            ("monitor-12", true),
            ("Monitor of Rear Line Out", true),
            ("MONITOR_OF_SPEAKER", true),
            ("monitor-", false),
            ("monitor-x", false),
            ("monitors", false),
            ("input-0", false),
            ("", false),
        ] {
            assert_eq!(stream(Direction::Capture, unique_id).is_monitor(), is_monitor, "{unique_id}");
            assert!(!stream(Direction::Playback, unique_id).is_monitor());
        }
        let streams = ["monitor-0", "input-0"].map(|name| stream(Direction::Capture, name));
        let card = CardInfo {
            index: 0,
            short_name: String::new(),
            long_name: String::new(),
            back_end: 1,
            streams: streams.to_vec(),
            back_path: String::new(),
        };
        assert_eq!(card.find(Direction::Capture, None).ok(), Some(1));
        assert_eq!(card.find(Direction::Capture, Some("monitor-0")).ok(), Some(0));
    }
}
