//! Codecs: what is at the other end of the link and answers verbs.
//!
//! [`Codec::duplex`] and its relatives are ready-made; [`Codec::builder`] puts one together widget by widget;
//! [`Codec::answering`] gives every verb to a closure, for codecs that lie. [`Dump::codec`](crate::Dump::codec) is one that
//! really exists.

mod amplifier;
mod builder;
mod connections;
mod group;
mod hdmi;
mod route;
mod verbs;
mod widget;
mod widget_builder;
mod widget_verbs;

pub use amplifier::Amplifier;
pub(crate) use amplifier::GainAtReset;
pub use builder::CodecBuilder;
pub use connections::ConnectionForm;
pub(crate) use connections::ConnectionList;
pub(crate) use group::{Group, OtherGroup};
pub use route::Arrival;
pub(crate) use route::Way;
pub(crate) use widget::{Converter, Source, capability};
pub use widget::{Widget, WidgetKind};

use std::collections::BTreeMap;

use crate::violations::Violations;

/// A codec, to be put at an address of the link with [`Bench::codec`](crate::Bench::codec).
pub struct Codec {
    kind: Kind,
    tamper: Option<TamperHook>,
}

/// Answers a verb: the 32 bits that the driver sent, address and node included. `None`: no answer.
pub type VerbHook = Box<dyn FnMut(u32) -> Option<u32>>;

/// Changes an answer: given the verb and what the codec would have said.
pub type TamperHook = Box<dyn FnMut(u32, Option<u32>) -> Option<u32>>;

enum Kind {
    Widgets(Box<Graph>),
    Hook(VerbHook),
}

/// An audio function group with its widgets, and what else the codec has.
pub(crate) struct Graph {
    pub(crate) vendor_id: u32,
    pub(crate) revision_id: u32,
    pub(crate) subsystem_id: u32,
    /// `None` of a codec without audio.
    pub(crate) group_node: Option<u8>,
    pub(crate) group: Group,
    /// Function groups beside it, by node: modems.
    pub(crate) other_groups: BTreeMap<u8, OtherGroup>,
    pub(crate) widgets: BTreeMap<u8, Widget>,
}

/// What a verb led to.
pub(crate) struct Answer {
    /// `None`: the codec said nothing.
    pub(crate) response: Option<u32>,
    /// A converter's format was set; QEMU stops its stream then.
    pub(crate) format_set_on: Option<(u8, bool)>,
}

impl Codec {
    /// A codec that is on the link, reports itself in STATESTS and never answers a verb.
    #[must_use]
    pub fn silent() -> Self {
        Self::answering(|_| None)
    }

    /// A codec whose every answer comes from `hook`, which is given the whole 32-bit verb. It has no converters.
    ///
    /// The hook must not call the [`Model`](crate::Model): it runs in the middle of one of its accesses.
    pub fn answering(hook: impl FnMut(u32) -> Option<u32> + 'static) -> Self {
        Self { kind: Kind::Hook(Box::new(hook)), tamper: None }
    }

    /// The codec, with `tamper` between it and the link: it sees each verb and the honest answer, and says what the
    /// driver gets. So a codec that works can lie about one thing.
    #[must_use]
    pub fn tampered(mut self, tamper: impl FnMut(u32, Option<u32>) -> Option<u32> + 'static) -> Self {
        self.tamper = Some(Box::new(tamper));
        self
    }

    /// The codec, with all its connection lists in one form. What the lists say stays the same.
    #[must_use]
    pub fn with_connection_form(mut self, form: ConnectionForm) -> Self {
        if let Kind::Widgets(graph) = &mut self.kind {
            for widget in graph.widgets.values_mut() {
                widget.connections = widget.connections.in_form(form);
            }
        }
        self
    }

    pub(crate) fn from_graph(mut graph: Graph) -> Self {
        graph.power_on();
        Self { kind: Kind::Widgets(Box::new(graph)), tamper: None }
    }

    pub(crate) fn command(&mut self, now_ns: u64, verb: u32, violations: &mut Violations) -> Answer {
        let mut answer = match &mut self.kind {
            Kind::Hook(hook) => Answer { response: hook(verb), format_set_on: None },
            Kind::Widgets(graph) => graph.command(now_ns, verb, violations),
        };
        if let Some(tamper) = &mut self.tamper {
            answer.response = tamper(verb, answer.response);
        }
        answer
    }

    /// A reset of the link: everything but the board's configuration goes to its default.
    pub(crate) fn reset(&mut self) {
        if let Kind::Widgets(graph) = &mut self.kind {
            graph.reset();
        }
    }

    /// Power comes back: the board's configuration too is as it was at first.
    pub(crate) fn power_on(&mut self) {
        if let Kind::Widgets(graph) = &mut self.kind {
            graph.power_on();
        }
    }

    pub(crate) fn graph(&mut self) -> Option<&mut Graph> {
        match &mut self.kind {
            Kind::Widgets(graph) => Some(graph),
            Kind::Hook(_) => None,
        }
    }

    pub(crate) fn converter(&mut self, node: u8) -> Option<&mut Converter> {
        self.graph()?.widgets.get_mut(&node)?.converter.as_mut()
    }

    /// Converters that listen to a tag (or drive it) and have power.
    pub(crate) fn listening_converters(
        &mut self,
        tag: u8,
        output: bool,
    ) -> impl Iterator<Item = &mut Converter> {
        let graph = self.graph();
        graph.into_iter().flat_map(move |graph| {
            let group_power = graph.group.power;
            let widgets = graph.widgets.values_mut();
            widgets.filter_map(move |widget| {
                let powered = group_power == 0 && widget.power == 0;
                widget
                    .converter
                    .as_mut()
                    .filter(|converter| powered && converter.tag == tag && converter.output == output)
            })
        })
    }
}

impl Graph {
    pub(crate) fn reset(&mut self) {
        self.group.reset();
        for group in self.other_groups.values_mut() {
            group.power = 3;
        }
        let inherited = self.group.inherited();
        for widget in self.widgets.values_mut() {
            widget.reset(&inherited);
        }
    }

    fn power_on(&mut self) {
        for widget in self.widgets.values_mut() {
            widget.configuration = widget.strapped_configuration;
        }
        self.reset();
    }

    pub(crate) fn widget(&mut self, node: u8) -> Option<&mut Widget> {
        self.widgets.get_mut(&node)
    }
}
