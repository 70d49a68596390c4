# The driver domain ends while a guest plays: destroyed, asked to, crashed. Guests live on, and play with the next one.
#
# Linux's front end frees what it still uses when its card goes with a program at it. Its kernel may stumble when the
# next card comes. So the guest that plays when the driver domain ends has to live on. Another guest with a card, which
# doesn't play at that time, goes on with the next driver domain.
card() { playback_card 0; }

GUEST_MIB=128
start_driver_domain
start_guest 1
start_guest 2
start_guest 3

check plays_with_the_first guest_run 3 10 'aplay -q -D hw:0,0 /rig/1.wav'

survives() { guest_run "$1" 10 'sleep 1; uname -r'; }
# The guest's card goes with the driver domain that served it, and comes anew with the next one.
new_card() {
    detach_card "$1"
    guest_run "$1" 10 'until ! [ -e /proc/asound/card0 ]; do usleep 100000; done' && attach_card "$1" &&
        guest_run "$1" 10 'until aplay -l | grep "card 0"; do usleep 100000; done'
}

check plays_while_it_is_destroyed play_on 1
check is_destroyed_in_mid_stream xl_log snddom destroy snddom
check the_player_survives_destroy survives 1
create_driver_domain
check a_card_by_the_second new_card 3
check another_card_by_the_second new_card 2
check plays_with_the_second guest_run 3 10 'aplay -q -D hw:0,0 /rig/2.wav'

check plays_while_it_is_shut_down play_on 2
before=$(releases 2)
check is_shut_down_in_mid_stream xl_log snddom shutdown -w snddom
check the_stream_was_stopped_before released_after 2 "$before"
check the_player_survives_shutdown survives 2
gone() { ! xl domid snddom; }
wait_for 30 gone
create_driver_domain
check a_card_by_the_third new_card 3
check plays_with_the_third guest_run 3 10 'aplay -q -D hw:0,0 /rig/3.wav'

check plays_while_it_crashes play_on 3
xl_log snddom trigger snddom nmi
check is_crashed_and_kept wait_for 10 is_crashed snddom
epitaph() { grep -a '@verdict crash' /log/console/guest-snddom.log; }
check leaves_an_epitaph epitaph
check the_player_survives_the_crash survives 3
xl_log snddom destroy snddom
check the_iommu_refused_nothing no_faults
