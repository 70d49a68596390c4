# Guests beside one another. However the one's stream ends, the other's goes on, and no page is left to the controller.

# The second guest has an output of its own; all others want the first one.
card() { if [ "$1" = 2 ]; then playback_card 1; else playback_card 0; fi; }

GUEST_MIB=128
start_driver_domain
# One guest at a time: the second one on an output is told that it is busy.
xenstore-write "$policy/port/output-0/mode" direct
start_guest 1
start_guest 2
start_guest 3
start_guest 4

both_play() {
    guest_begin 1 'aplay -q -D hw:0,0 /rig/first.wav' && guest_begin 2 'aplay -q -D hw:0,0 /rig/second.wav'
    guest_end 1 10 && guest_end 2 10
}
check two_play_at_once both_play

# A long one in the background, for the rest of the scenario.
check the_second_plays_a_long_one play_on 2

play_on 1
# aplay keeps to itself why it can't; speaker-test says it.
check the_third_can_not_have_it_too guest_fails 3 10 'aplay -q -D hw:0,0 /rig/third.wav'
is_told_busy() {
    guest_run 3 10 'speaker-test -D hw:0,0 -c 2 -r 48000 -F S16_LE -l 1 2>&1 | grep -i busy'
}
check the_third_is_told_that_it_is_busy is_told_busy

# CLOSE: the program ends.
before=$(releases 1)
guest_run 1 5 'kill $(cat /tmp/pid)'
check pages_are_free_after_close released_after 1 "$before"
check the_third_plays_once_it_is_free guest_run 3 10 'aplay -q -D hw:0,0 /rig/third.wav'

# Its kernel panics in mid-stream.
play_on 1
before=$(releases 1)
guest_begin 1 'echo c >/proc/sysrq-trigger'
check panicked_in_mid_stream wait_for 10 is_crashed guest1
xl_log guest1 destroy guest1
check pages_are_free_after_panic released_after 1 "$before"

# Destroyed in mid-stream.
play_on 3
before=$(releases 3)
check destroyed_in_mid_stream xl destroy guest3
check pages_are_free_after_destroy released_after 3 "$before"

# Detached in mid-stream. Linux's front end frees what it still uses when its card goes with a program at it: this guest
# may do anything from here on, and is put away.
play_on 4
before=$(releases 4)
check detached_in_mid_stream detach_card 4
check pages_are_free_after_detach released_after 4 "$before"
xl_log guest4 destroy guest4

check no_zombies only_domains Domain-0 snddom guest2
played_out() { ! is_running 2; }
check the_second_plays_to_its_end wait_for 60 played_out
check the_second_has_no_complaint no_complaint 2
check the_iommu_refused_nothing no_faults
