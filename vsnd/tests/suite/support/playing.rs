//! Starts and ends applications in guests.

use audiofront::StreamConfig;
use hypervisor_model::guest::{Done, GuestStream, Order, Task};

use super::guest::{Front, OPEN_CONFIG};
use super::player::{Heard, Player};
use super::rig::Rig;

impl Rig {
    /// An application plays 16-bit stereo at 48 kHz.
    pub fn play(&mut self, front: Front, samples: &[u8]) -> u32 {
        self.play_with(front, samples, 65_536)
    }

    /// The same with a buffer of this size, a multiple of 1,920 bytes (10 ms).
    pub fn play_with(&mut self, front: Front, samples: &[u8], buffer_bytes: u32) -> u32 {
        self.begin(front, Task::Play(Box::leak(samples.to_vec().into_boxed_slice())), buffer_bytes)
    }

    /// An application records 16-bit stereo at 48 kHz.
    pub fn record(&mut self, front: Front, frames: u64) -> u32 {
        self.begin(front, Task::Record(frames), 65_536)
    }

    fn begin(&mut self, front: Front, task: Task, buffer_bytes: u32) -> u32 {
        let config = StreamConfig { buffer_bytes, ..OPEN_CONFIG };
        let stream = GuestStream::new(0, front, Order { config, task }).expect("a query on its way");
        let player = Player { stream: Some(stream), error: None, heard: Heard::default() };
        self.next_player += 1;
        self.players.insert(self.next_player, player);
        self.settle();
        self.next_player
    }

    pub fn player(&self, player: u32) -> &Player {
        &self.players[&player]
    }

    /// The applications take a look.
    pub fn poll_players(&mut self) {
        let now = self.now();
        for player in self.players.values_mut() {
            if let Some(stream) = player.stream.as_mut().filter(|_| player.error.is_none()) {
                player.error = stream.poll(now, &mut player.heard).err();
            }
        }
    }

    /// The application is killed, or has come to its end. Its front end is left.
    pub fn end_player(&mut self, player: u32) -> (Front, Player) {
        let mut player = self.players.remove(&player).expect("a player");
        let stream = player.stream.take().expect("a stream");
        (stream.into_front(), player)
    }

    /// Plays to the end.
    pub fn play_to_the_end(&mut self, front: Front, samples: &[u8]) -> Front {
        let player = self.play(front, samples);
        self.until("the end of a recording", |rig| rig.player(player).is_over());
        let (front, player) = self.end_player(player);
        assert_eq!(player.error, None);
        let frames = samples.len() as u64 / 4;
        assert_eq!(player.heard.done, Some(Done { frames, xrun_frames: 0 }));
        front
    }
}
