//! A codec on the link: a graph of widgets, or a closure that answers verbs.

use super::connections::ConnectionForm;
use super::converter::Converter;
use super::graph::{Answer, Graph};
use crate::violations::Violations;

/// A codec for an address of the link: see [`Bench::codec`](crate::Bench::codec).
#[must_use]
pub struct Codec {
    kind: Kind,
    tamper: Option<TamperHook>,
}

/// Answers a verb: the driver's 32 bits, with address and node. `None`: no answer.
pub type VerbHook = Box<dyn FnMut(u32) -> Option<u32>>;

/// Changes an answer, given the verb and the codec's own answer.
pub type TamperHook = Box<dyn FnMut(u32, Option<u32>) -> Option<u32>>;

enum Kind {
    Widgets(Box<Graph>),
    Hook(VerbHook),
}

impl Codec {
    /// A codec that reports itself in STATESTS but never answers a verb.
    pub fn silent() -> Self {
        Self::answering(|_| None)
    }

    /// A codec without converters; `hook` answers each 32-bit verb.
    ///
    /// The hook runs during an access of the [`Model`](crate::Model), so it must not call the
    /// model.
    pub fn answering(hook: impl FnMut(u32) -> Option<u32> + 'static) -> Self {
        Self { kind: Kind::Hook(Box::new(hook)), tamper: None }
    }

    /// Puts `tamper` between the codec and the link, to make a working codec lie about one thing.
    ///
    /// `tamper` takes each verb and the honest answer, and returns the driver's answer.
    pub fn tampered(mut self, tamper: impl FnMut(u32, Option<u32>) -> Option<u32> + 'static) -> Self {
        self.tamper = Some(Box::new(tamper));
        self
    }

    /// Recodes all connection lists in one form. The connections stay the same.
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

    /// Resets the link: everything but the board's configuration returns to its default.
    pub(crate) fn reset(&mut self) {
        if let Kind::Widgets(graph) = &mut self.kind {
            graph.reset();
        }
    }

    /// Restores power: the board's configuration returns to its default too.
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

    /// The powered converters that listen to a tag, or drive it.
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
