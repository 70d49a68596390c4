//! Amplifiers on a route: 0 dB and open unless a stream's volume says otherwise.

use super::CodecLink;
use super::route::{Hop, HopKind, Hops};
use crate::command::CommandError;
use crate::spec::parameters::AmplifierCapabilities;
use crate::spec::verbs::{self, amplifier};

/// An amplifier's index has 4 bits (7.3.3.7).
pub(super) const AMPLIFIER_INPUTS_MAX: u8 = 16;

/// What a route's volume can be, in thousandths of a decibel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeRange {
    /// The softest.
    pub min_mdb: i32,
    /// The loudest.
    pub max_mdb: i32,
    /// A step, 250 to 32,000. 0: the volume can't be changed.
    pub step_mdb: i32,
    /// Channels can be muted.
    pub can_mute: bool,
}

/// Volume and mute of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) mdb: i32,
    pub(crate) is_muted: bool,
}

/// Left and right.
pub(crate) type Levels = [Level; 2];

/// Which of a widget's amplifiers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

/// An amplifier, by the place of its widget on the route.
type Place = (usize, Side);

fn all(hops: &Hops) -> impl Iterator<Item = (Place, AmplifierCapabilities)> {
    let of_hop = |(at, hop): (usize, &Hop)| {
        [((at, Side::Input), hop.input_amplifier), ((at, Side::Output), hop.output_amplifier)]
    };
    hops.iter().enumerate().flat_map(of_hop).filter(|(_, a)| *a != AmplifierCapabilities::NONE)
}

/// The one that volume is set with: the one with the most to choose from.
fn of_volume(hops: &Hops) -> Option<(Place, AmplifierCapabilities)> {
    let span = |a: AmplifierCapabilities| i32::from(a.last_step()).saturating_mul(a.step_mdb());
    all(hops).filter(|(_, a)| a.last_step() > 0).max_by_key(|(_, a)| span(*a))
}

/// The one that mutes: volume's, if it can.
fn of_mute(hops: &Hops) -> Option<Place> {
    let volume = of_volume(hops).filter(|(_, a)| a.can_mute());
    volume.or_else(|| all(hops).find(|(_, a)| a.can_mute())).map(|(place, _)| place)
}

/// What can be set on a route; `None`: nothing.
pub(crate) fn range(hops: &Hops) -> Option<VolumeRange> {
    let can_mute = of_mute(hops).is_some();
    match of_volume(hops) {
        Some((_, a)) => {
            let (step_mdb, offset) = (a.step_mdb(), i32::from(a.offset()));
            let at = |step: i32| step.saturating_sub(offset).saturating_mul(step_mdb);
            Some(VolumeRange { min_mdb: at(0), max_mdb: at(a.last_step().into()), step_mdb, can_mute })
        }
        None if can_mute => Some(VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute }),
        None => None,
    }
}

/// The step that is nearest to a volume.
fn nearest_step(a: AmplifierCapabilities, mdb: i32) -> u8 {
    let half = a.step_mdb().wrapping_div(2);
    let steps = mdb.saturating_add(half).div_euclid(a.step_mdb()).saturating_add(a.offset().into());
    // Between 0 and 127.
    steps.clamp(0, a.last_step().into()) as u8
}

/// What comes of asking for a volume.
pub(crate) fn nearest_mdb(hops: &Hops, mdb: i32) -> Option<i32> {
    let (_, a) = of_volume(hops)?;
    let step = i32::from(nearest_step(a, mdb)).saturating_sub(a.offset().into());
    Some(step.saturating_mul(a.step_mdb()))
}

/// Opens all amplifiers of a route, at 0 dB or the nearest to it, but for what `levels` ask for.
pub(crate) fn set_all(link: &mut dyn CodecLink, hops: &Hops, levels: &Levels) -> Result<(), CommandError> {
    all(hops).try_for_each(|(place, a)| set(link, hops, place, a, levels))
}

/// Sets those that volume and mute are set with.
pub(crate) fn set_levels(link: &mut dyn CodecLink, hops: &Hops, levels: &Levels) -> Result<(), CommandError> {
    let (volume, mute) = (of_volume(hops).map(|(place, _)| place), of_mute(hops));
    let is_meant = |place: &Place| Some(*place) == volume || Some(*place) == mute;
    all(hops)
        .filter(|(place, _)| is_meant(place))
        .try_for_each(|(place, a)| set(link, hops, place, a, levels))
}

fn set(
    link: &mut dyn CodecLink,
    hops: &Hops,
    place: Place,
    a: AmplifierCapabilities,
    levels: &Levels,
) -> Result<(), CommandError> {
    let Some(hop) = hops.get(place.0) else { return Ok(()) };
    let is_volume = of_volume(hops).is_some_and(|(of, _)| of == place);
    let is_mute = of_mute(hops) == Some(place);
    let word = |level: &super::amplifier::Level| {
        let step = if is_volume { nearest_step(a, level.mdb) } else { a.unity_step() };
        let mute = if is_mute && level.is_muted { amplifier::MUTE } else { 0 };
        u16::from(step) | mute
    };
    let [left, right] = levels.each_ref().map(word);
    if left == right {
        send(link, hop, place.1, amplifier::LEFT_AND_RIGHT | left)
    } else {
        send(link, hop, place.1, amplifier::LEFT | left)?;
        send(link, hop, place.1, amplifier::RIGHT | right)
    }
}

fn send(link: &mut dyn CodecLink, hop: &Hop, side: Side, payload: u16) -> Result<(), CommandError> {
    if side == Side::Output {
        return link.ask(hop.node, verbs::set_amplifier(amplifier::OUTPUT | payload)).map(|_| ());
    }
    let input = hop.input.unwrap_or(0);
    // A pin has one input amplifier, index 0. Converters differ: some have one, some one for each input.
    let index = if hop.kind == HopKind::Pin { 0 } else { input };
    let mut send = |index: u8| {
        let payload = amplifier::INPUT | index_bits(index) | payload;
        link.ask(hop.node, verbs::set_amplifier(payload)).map(|_| ())
    };
    if hop.kind == HopKind::Converter && index != 0 {
        send(0)?;
    }
    if index < AMPLIFIER_INPUTS_MAX { send(index) } else { Ok(()) }
}

/// An input's number, where an amplifier is set.
pub(super) fn index_bits(index: u8) -> u16 {
    u16::from(index & 0xf) << 8
}
