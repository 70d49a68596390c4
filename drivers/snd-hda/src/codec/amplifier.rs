//! Amplifiers on a route: 0 dB and open unless a stream's volume says otherwise.

use super::link::CodecLink;
use super::route::{Hop, HopKind, Hops, Level, Levels};
use crate::command::CommandError;
use crate::spec::parameters::AmplifierCapabilities;
use crate::spec::verbs::{self, amplifier};

/// The gain range of a route's amplifiers, in thousandths of a decibel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GainRange {
    /// The lowest gain.
    pub min_mdb: i32,
    /// The highest gain.
    pub max_mdb: i32,
    /// A step, 250 to 32,000. 0: the volume is fixed.
    pub step_mdb: i32,
    /// Channels can be muted.
    pub can_mute: bool,
}

/// One of a widget's amplifiers.
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

/// The amplifiers for a route's volume and mute.
struct Controls {
    /// The amplifier with the most steps.
    volume: Option<(Place, AmplifierCapabilities)>,
    /// The volume amplifier, if it can mute; else the first that can.
    mute: Option<Place>,
}

impl Controls {
    fn of(hops: &Hops) -> Self {
        let span = |a: AmplifierCapabilities| i32::from(a.last_step()).saturating_mul(a.step_mdb());
        let volume = all(hops).filter(|(_, a)| a.last_step() > 0).max_by_key(|(_, a)| span(*a));
        let mute = volume.filter(|(_, a)| a.can_mute());
        let mute = mute.or_else(|| all(hops).find(|(_, a)| a.can_mute()));
        Self { volume, mute: mute.map(|(place, _)| place) }
    }

    fn is_volume(&self, place: Place) -> bool {
        self.volume.is_some_and(|(of, _)| of == place)
    }
}

/// The gains of a route; `None` if nothing can be set.
pub(crate) fn range(hops: &Hops) -> Option<GainRange> {
    let Controls { volume, mute } = Controls::of(hops);
    let can_mute = mute.is_some();
    match volume {
        Some((_, a)) => {
            let (step_mdb, offset) = (a.step_mdb(), i32::from(a.offset()));
            let at = |step: i32| step.saturating_sub(offset).saturating_mul(step_mdb);
            Some(GainRange { min_mdb: at(0), max_mdb: at(a.last_step().into()), step_mdb, can_mute })
        }
        None if can_mute => Some(GainRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute }),
        None => None,
    }
}

/// The step nearest to a volume.
fn nearest_step(a: AmplifierCapabilities, mdb: i32) -> u8 {
    let half = a.step_mdb().wrapping_div(2);
    let steps = mdb.saturating_add(half).div_euclid(a.step_mdb()).saturating_add(a.offset().into());
    // Between 0 and 127.
    steps.clamp(0, a.last_step().into()) as u8
}

/// The volume after rounding to a step.
pub(crate) fn nearest_mdb(hops: &Hops, mdb: i32) -> Option<i32> {
    let (_, a) = Controls::of(hops).volume?;
    let step = i32::from(nearest_step(a, mdb)).saturating_sub(a.offset().into());
    Some(step.saturating_mul(a.step_mdb()))
}

/// Opens all amplifiers of a route at 0 dB or the nearest step, except for the settings in
/// `levels`.
pub(crate) fn set_all(link: &mut CodecLink<'_>, hops: &Hops, levels: &Levels) -> Result<(), CommandError> {
    let controls = Controls::of(hops);
    all(hops).try_for_each(|(place, a)| set(link, hops, &controls, (place, a), levels))
}

/// Sets the amplifiers for volume and mute.
pub(crate) fn set_levels(link: &mut CodecLink<'_>, hops: &Hops, levels: &Levels) -> Result<(), CommandError> {
    let controls = Controls::of(hops);
    all(hops)
        .filter(|(place, _)| controls.is_volume(*place) || controls.mute == Some(*place))
        .try_for_each(|amplifier| set(link, hops, &controls, amplifier, levels))
}

fn set(
    link: &mut CodecLink<'_>,
    hops: &Hops,
    controls: &Controls,
    (place, a): (Place, AmplifierCapabilities),
    levels: &Levels,
) -> Result<(), CommandError> {
    let Some(hop) = hops.get(place.0) else { return Ok(()) };
    let (is_volume, is_mute) = (controls.is_volume(place), controls.mute == Some(place));
    let word = |level: &Level| {
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

fn send(link: &mut CodecLink<'_>, hop: &Hop, side: Side, payload: u16) -> Result<(), CommandError> {
    if side == Side::Output {
        return link.tell(hop.node, verbs::set_amplifier(amplifier::OUTPUT | payload));
    }
    let input = hop.input.unwrap_or(0);
    // A pin has one input amplifier, index 0. Converters differ: some have one, some one for each input.
    let index = if hop.kind == HopKind::Pin { 0 } else { input };
    let mut send = |index: u8| {
        let payload = amplifier::INPUT | amplifier::index_bits(index) | payload;
        link.tell(hop.node, verbs::set_amplifier(payload))
    };
    if hop.kind == HopKind::Converter && index != 0 {
        send(0)?;
    }
    if index < amplifier::INPUTS_MAX { send(index) } else { Ok(()) }
}
