//! Prints the page QUALITY.md: `cargo run --release -p snddom-pcm --example quality`.

mod figures;

fn main() {
    print!("{}", figures::page(&figures::measure_all()));
}
