//! Writes the card's directory in circles: states, references, names, values that are too long, nodes that go.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use sndif::nodes;

use crate::card::Card;
use crate::connection::Connection;

const TIME: Duration = Duration::from_millis(300);

/// Time for which a state stands still: a back end waits for that before it believes it.
const STANDSTILL: Duration = Duration::from_millis(70);

/// Nodes of the card.
const NODES: [&str; 10] = [
    nodes::STATE,
    nodes::STATE,
    nodes::STATE,
    nodes::BACKEND,
    nodes::BACKEND_ID,
    nodes::SAMPLE_RATES,
    nodes::SAMPLE_FORMATS,
    nodes::BUFFER_SIZE,
    nodes::CONTROL_PAGE_REF,
    "0",
];

/// Nodes of a stream.
const STREAM_NODES: [&str; 6] = [
    nodes::RING_REF,
    nodes::EVENT_CHANNEL,
    nodes::EVT_RING_REF,
    nodes::EVT_EVENT_CHANNEL,
    nodes::TYPE,
    nodes::UNIQUE_ID,
];

/// Values that mean something, at one node or another.
const VALUES: [&str; 16] = [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "0",
    "-1",
    "",
    "4294967295",
    "18446744073709551616",
    "0x10",
    "p",
    "output-0",
    "../../../0",
];

/// The longest value of a node that xenstored takes is a little longer.
const LONG: usize = 1_900;

pub(super) fn deed(card: &mut Card, _: &mut Option<Connection>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let node = node(card);
        match card.chance.below(20) {
            0 => {
                let path = format!("{}/{node}", card.front);
                card.store.remove(&path)?;
                card.tally.add("nodes_removed", 1);
            }
            // In circles, faster than anyone can follow.
            1 => {
                for state in 0..=8u8 {
                    card.write(nodes::STATE, state.to_string())?;
                }
            }
            2 => sleep(STANDSTILL),
            // A node that nobody expects, and one below one that has a value.
            3 => {
                let name = format!("0/{}/{}", card.chance.below(40), card.chance.below(40));
                card.write(&name, "rubbish")?;
            }
            4 => {
                let value = card.chance.bytes(LONG);
                card.write(&node, value)?;
            }
            5 => {
                let count = card.chance.below(40);
                let value = card.chance.bytes(count);
                card.write(&node, value)?;
            }
            6 => {
                let value = card.chance.odd_number().to_string();
                card.write(&node, value)?;
            }
            _ => {
                let value = card.chance.pick(&VALUES);
                card.write(&node, value)?;
            }
        }
    }
    card.restore()
}

fn node(card: &mut Card) -> String {
    if card.chance.is_once_in(2) || card.streams.is_empty() {
        return card.chance.pick(&NODES).to_owned();
    }
    let stream = card.chance.below(card.streams.len());
    format!("{}/{}", card.streams[stream], card.chance.pick(&STREAM_NODES))
}
