//! Many voices on one port, on a small card in memory and on the model of the hardware.

mod admission;
mod allocation;
mod capture;
mod exact;
mod hand_over;
mod hand_over_capture;
mod hand_over_positions;
mod hostile;
mod in_step;
mod isolation;
mod lead;
mod link;
mod logs;
mod model_positions;
mod modes;
mod pauses;
mod peaks;
mod port_state;
mod positions;
mod positions_capture;
mod reach;
mod sums;
mod support;
mod trims;
mod waits;
mod whole;
