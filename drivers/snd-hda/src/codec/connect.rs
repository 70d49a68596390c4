//! Verbs that open and close a route.

use super::amplifier as amplifiers;
use super::display;
use super::link::CodecLink;
use super::pin::PinDevice;
use super::route::{Connection, Hop, HopKind, Hops, Route};
use crate::command::CommandError;
use crate::dma::Direction;
use crate::spec::verbs::{self, amplifier};

/// Powers an unconnected route's widgets, except for those of the routes before it, and shuts it, whatever state the codec
/// was left in.
///
/// They stay powered: a widget may take 10 ms (7.3.3.10), and nobody is to wait for that when a stream opens.
pub(crate) fn prepare(link: &mut CodecLink<'_>, before: &[Route], route: &Route) -> Result<(), CommandError> {
    for hop in route.hops.iter().filter(|hop| hop.has_power_control) {
        let has_it =
            |other: &Route| other.codec == route.codec && other.hops.iter().any(|of| of.node == hop.node);
        if !before.iter().any(has_it) {
            link.power_up(hop.node)?;
        }
    }
    shut(link, route)
}

/// Shuts an unconnected route, whatever state the codec was left in.
pub(crate) fn shut(link: &mut CodecLink<'_>, route: &Route) -> Result<(), CommandError> {
    shut_pin(link, route)?;
    mute_mixers(link, &route.hops)
}

/// Switches an output's pin off, so that it is silent.
pub(crate) fn shut_pin(link: &mut CodecLink<'_>, route: &Route) -> Result<(), CommandError> {
    if route.direction() == Direction::Output {
        link.tell(route.pin, verbs::set_pin_control(0))?;
    }
    Ok(())
}

/// Mutes every input of the mixers on a route: a mixer sums all inputs, so unwanted ones must be
/// shut.
pub(crate) fn mute_mixers(link: &mut CodecLink<'_>, hops: &Hops) -> Result<(), CommandError> {
    hops.iter().try_for_each(|hop| mute_mixer(link, hop))
}

/// Mutes every input of a mixer.
pub(crate) fn mute_mixer(link: &mut CodecLink<'_>, hop: &Hop) -> Result<(), CommandError> {
    (0..hop.inputs.min(amplifier::INPUTS_MAX)).try_for_each(|input| mute_input(link, hop, input))
}

/// Mutes the route's own input of a mixer.
pub(crate) fn mute_own_input(link: &mut CodecLink<'_>, hop: &Hop) -> Result<(), CommandError> {
    hop.input
        .filter(|input| *input < amplifier::INPUTS_MAX)
        .map_or(Ok(()), |input| mute_input(link, hop, input))
}

/// Does nothing unless it is a mixer's input that can be muted.
fn mute_input(link: &mut CodecLink<'_>, hop: &Hop, input: u8) -> Result<(), CommandError> {
    if hop.kind != HopKind::Mixer || !hop.input_amplifier.can_mute() {
        return Ok(());
    }
    let mute = amplifier::INPUT | amplifier::LEFT_AND_RIGHT | amplifier::MUTE | amplifier::index_bits(input);
    link.tell(hop.node, verbs::set_amplifier(mute))
}

/// Opens the route: powers its widgets, selects its inputs, opens its amplifiers, switches its pin
/// on.
///
/// `routes` are all routes. Conflicting ones stay open after their streams end, so this shuts them
/// first. They share a widget but lead to other pins, or use a mixer with other inputs.
pub(crate) fn open(link: &mut CodecLink<'_>, routes: &[Route], route: &Route) -> Result<(), CommandError> {
    let left_open = |other: &&Route| {
        let may_hear_it = other.shares_widget_with(route) || (other.codec == route.codec && other.leaks());
        !other.is_connected() && other.pin != route.pin && may_hear_it
    };
    for other in routes.iter().filter(left_open) {
        shut_pin(link, other)?;
    }
    for hop in &route.hops {
        if hop.has_power_control {
            // It has it already, unless the codec has forgotten.
            link.tell(hop.node, verbs::SET_POWER_STATE_D0)?;
        }
        if let Some(input) = hop.input {
            // A mixer takes all of its inputs; a single input needs no choice.
            if hop.kind != HopKind::Mixer && hop.inputs > 1 {
                link.tell(hop.node, verbs::set_connection_select(input))?;
            }
        }
    }
    amplifiers::set_all(link, &route.hops, &route.levels)?;
    open_pin(link, route)?;
    if route.has_eapd {
        let bits = link.ask(route.pin, verbs::GET_EAPD)? as u8;
        link.tell(route.pin, verbs::set_eapd(bits | verbs::EAPD_ON))?;
    }
    Ok(())
}

/// Switches on the pin of an open route.
pub(crate) fn open_pin(link: &mut CodecLink<'_>, route: &Route) -> Result<(), CommandError> {
    link.tell(route.pin, verbs::set_pin_control(route.pin_control))
}

/// Sets the format of a route's converter, before it gets the stream's tag by [`tune`].
///
/// Some converters stall if the format changes while they have a tag.
pub(crate) fn set_format(
    link: &mut CodecLink<'_>,
    route: &Route,
    connection: &Connection,
) -> Result<(), CommandError> {
    if route.is_digital {
        link.tell(route.converter, verbs::set_digital_control(verbs::DIGITAL_ENABLE))?;
    }
    if route.device == PinDevice::Display {
        display::tell(link, route, connection.format.channels())?;
    }
    link.tell(route.converter, verbs::set_converter_format(connection.format.encode()))
}

/// Puts the converter of a route on its stream. The converter has the stream's format already.
pub(crate) fn tune(
    link: &mut CodecLink<'_>,
    route: &Route,
    connection: &Connection,
) -> Result<(), CommandError> {
    link.tell(route.converter, verbs::set_stream(connection.tag, connection.channel))
}

/// Takes the converter off its stream and shuts the mixers' inputs again.
///
/// An open input would let the next stream on the converter or mixer sound at this route's end
/// too. Other amplifiers and the pin stay unchanged, because switching them clicks. [`open`]
/// changes them when it gives a widget to another pin.
pub(crate) fn disconnect(link: &mut CodecLink<'_>, route: &Route) -> Result<(), CommandError> {
    leave(link, route)?;
    mute_mixers(link, &route.hops)
}

/// Takes the converter off its stream.
pub(crate) fn leave(link: &mut CodecLink<'_>, route: &Route) -> Result<(), CommandError> {
    link.tell(route.converter, verbs::set_stream(0, 0))
}
