//! The guests' rights as the administrator has written them, understood here a second time on purpose.

use crate::world::World;

/// The card's ports in its order.
pub const PORT_NAMES: [&str; 12] = [
    "output-0",
    "output-1",
    "output-2",
    "output-3",
    "input-0",
    "input-1",
    "input-2",
    "input-3",
    "monitor-0",
    "monitor-1",
    "monitor-2",
    "monitor-3",
];

/// The name of a port by its number.
pub fn port_name(port: u8) -> &'static str {
    PORT_NAMES.get(usize::from(port)).copied().unwrap_or("no port")
}

/// Whether a guest may use a port by what is in xenstore now.
pub fn has_right(world: &World<'_>, guest: u16, port: u8) -> bool {
    let name = port_name(port);
    let (kind, right, default) = match name.split('-').next() {
        Some("output") => ("output", "may-play", "1"),
        Some("input") => ("input", "may-record", "0"),
        _ => ("monitor", "may-hear", "0"),
    };
    let own = world.setting(&format!("guest/{guest}/{right}"));
    match own.or(world.setting(right)).unwrap_or(default) {
        "0" => false,
        "1" => true,
        list => {
            // One that isn't a list of ports for this right gives none.
            let is_list = list.split(',').all(|item| PORT_NAMES.contains(&item) && item.starts_with(kind));
            is_list && list.split(',').any(|item| item == name)
        }
    }
}

/// Whether a guest lacks the right that its stream needs.
pub fn is_denied_its_port(world: &World<'_>, guest: u16) -> bool {
    (0..PORT_NAMES.len() as u8).any(|port| {
        let wanted =
            crate::good::SPECS.iter().any(|spec| spec.domain == guest && spec.port == port_name(port));
        wanted && !has_right(world, guest, port)
    })
}

/// Whether a port takes one stream alone.
pub fn is_any_port_direct(world: &World<'_>) -> bool {
    world.settings.iter().any(|(node, mode)| node.ends_with("/mode") && *mode == "direct")
}
