//! The card in xenstore: its directory as the toolstack made it, and its states.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sndif::nodes;
use sndif::state::XenbusState;

use crate::chance::Chance;
use crate::store::Store;
use crate::tally::Tally;

/// Interval between looks at the back end's state.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Longest wait for the back end to be ready: it waits up to 5 s after connections that didn't last.
const READY_WITHIN: Duration = Duration::from_secs(7);

/// Longest wait for any other state.
const STATE_WITHIN: Duration = Duration::from_secs(1);

/// A card and the means to misuse it.
pub(crate) struct Card {
    pub(crate) number: u32,
    pub(crate) store: Store,
    pub(crate) chance: Chance,
    pub(crate) tally: Tally,
    pub(crate) back_end: u16,
    /// Its directory, which is this guest's own.
    pub(crate) front: String,
    back: String,
    /// The nodes as the toolstack made them.
    original: Vec<(String, Vec<u8>)>,
    /// Its streams' directories, below its own.
    pub(crate) streams: Vec<String>,
}

impl Card {
    /// Finds a card of this guest.
    pub(crate) fn find(number: u32, chance: Chance) -> Result<Self> {
        let mut store = Store::open()?;
        let front = format!("device/{}/{number}", nodes::DRIVER_NAME);
        let back = store.text(&format!("{front}/{}", nodes::BACKEND))?;
        let back = back.with_context(|| format!("no card {number}"))?;
        let back_end = store.text(&format!("{front}/{}", nodes::BACKEND_ID))?.unwrap_or_default();
        let back_end = back_end.parse().with_context(|| format!("{back_end}: no domain"))?;
        let mut original = Vec::new();
        collect(&mut store, &front, &mut original)?;
        let of_stream = |(path, _): &(String, Vec<u8>)| {
            let path = path.strip_prefix(&front)?.strip_prefix('/')?;
            path.strip_suffix(nodes::UNIQUE_ID)?.strip_suffix('/').map(str::to_owned)
        };
        let streams = original.iter().filter_map(of_stream).collect();
        Ok(Self { number, store, chance, tally: Tally::default(), back_end, front, back, original, streams })
    }

    /// A stream's unique-id, as the toolstack gave it.
    pub(crate) fn unique_id(&self, stream: &str) -> String {
        let path = format!("{}/{stream}/{}", self.front, nodes::UNIQUE_ID);
        let value = self.original.iter().find(|(node, _)| *node == path).map(|(_, value)| value.clone());
        String::from_utf8(value.unwrap_or_default()).unwrap_or_default()
    }

    /// Writes a node below the card's directory.
    pub(crate) fn write(&mut self, node: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let is_written = self.store.write(&format!("{}/{node}", self.front), value.as_ref())?;
        self.tally.add(if is_written { "nodes_written" } else { "nodes_refused" }, 1);
        Ok(())
    }

    /// Writes this side's state.
    pub(crate) fn show(&mut self, state: XenbusState) -> Result<()> {
        self.write(nodes::STATE, state.node())
    }

    /// The back end's state.
    pub(crate) fn back_state(&mut self) -> Result<Option<XenbusState>> {
        let text = self.store.text(&format!("{}/{}", self.back, nodes::STATE))?;
        Ok(text.and_then(|text| XenbusState::from_node(&text)))
    }

    /// Waits until the back end has one of these states. `false`: not in time.
    fn wait_for(&mut self, within: Duration, states: &[XenbusState]) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if self.back_state()?.is_some_and(|state| states.contains(&state)) {
                return Ok(true);
            }
            sleep(LOOK_EVERY);
        }
        Ok(false)
    }

    /// Brings the back end to the state in which it waits for a front end. `false`: it shuts this card out.
    pub(crate) fn make_ready(&mut self) -> Result<bool> {
        // A front end that died and comes again doesn't close first.
        if self.chance.is_once_in(3) {
            self.show(XenbusState::Initialising)?;
        } else {
            self.leave()?;
        }
        let is_ready = self.wait_for(READY_WITHIN, &[XenbusState::InitWait])?;
        self.tally.add(if is_ready { "ready" } else { "shut_out" }, 1);
        Ok(is_ready)
    }

    /// Waits until the back end has connected or refused to.
    pub(crate) fn is_connected(&mut self) -> Result<bool> {
        self.wait_for(STATE_WITHIN, &[XenbusState::Connected, XenbusState::Closing, XenbusState::Closed])?;
        Ok(self.back_state()? == Some(XenbusState::Connected))
    }

    /// Closes as a front end should.
    pub(crate) fn leave(&mut self) -> Result<()> {
        self.show(XenbusState::Closing)?;
        self.wait_for(STATE_WITHIN, &[XenbusState::InitWait, XenbusState::Closed])?;
        self.show(XenbusState::Closed)
    }

    /// Puts the directory back to what the toolstack made, but for the state.
    pub(crate) fn restore(&mut self) -> Result<()> {
        let mut there = Vec::new();
        collect(&mut self.store, &self.front, &mut there)?;
        let state = format!("{}/{}", self.front, nodes::STATE);
        for (path, _) in there.iter().filter(|(path, _)| *path != state) {
            if !self.original.iter().any(|(node, _)| node == path) {
                // One that was below a removed node is gone already.
                self.store.remove(path)?;
            }
        }
        for (path, value) in self.original.iter().filter(|(path, _)| *path != state) {
            self.store.write(path, value)?;
        }
        Ok(())
    }
}

/// All nodes below a path that have no node below them, and their values.
fn collect(store: &mut Store, path: &str, into: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let names = store.names(path)?;
    if names.is_empty() {
        into.extend(store.read(path)?.map(|value| (path.to_owned(), value)));
    }
    for name in names {
        collect(store, &format!("{path}/{name}"), into)?;
    }
    Ok(())
}
