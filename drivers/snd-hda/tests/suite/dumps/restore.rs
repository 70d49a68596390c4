//! After a loss of power everything that was heard and recorded is so again.

use super::audible::connect;
use super::*;
use snd_hda::{BringUpError, RouteIndex};

#[test]
fn all_routes_are_restored_after_a_power_cycle() {
    let mut connected = 0;
    for specimen in collection() {
        let model =
            Bench::new(Profile::hardware()).codec(0, specimen.dump.codec()).without_recording().build();
        let mut controller = match bring_up(&model) {
            Ok(controller) => controller,
            Err(BringUpError::NoRoute) => continue,
            Err(error) => panic!("{}: {error}", specimen.file),
        };
        // As many at once as there are: four streams each way.
        let mut streams = Vec::new();
        for index in 0..controller.routes().len() {
            let direction = controller.routes()[index].direction();
            let of_direction = |stream: &&ConfiguredStream| stream.direction() == direction;
            if !controller.is_taken(RouteIndex(index as u8))
                && streams.iter().filter(of_direction).count() < 4
            {
                let channels = controller.routes()[index].pcm().channels_max().min(2);
                streams.extend(connect(&model, &mut controller, index, channels));
            }
        }
        connected += streams.len();
        let before = (model.audible(0), model.recorded(0));
        model.power_cycle();
        model.memory().limit_regions(0);
        assert_eq!(controller.restore(), Ok(()), "{}", specimen.file);
        assert_eq!((model.audible(0), model.recorded(0)), before, "{}", specimen.file);
        model.assert_clean();
    }
    println!("{connected} routes were connected");
    assert!(connected > 1_000, "{connected}");
}
