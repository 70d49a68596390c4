# What the driver domain takes, and how soon it serves; what a guest sees of its rights; cards that come and go.
start_driver_domain

# Writes down when each node of the back ends' was written, and what the states said a moment later: never too early.
watch_back_ends() {
    xenstore-watch "${policy%/*}/backend/vsnd" | while read -r node; do
        node_says=
        case $node in */state) node_says=$(xenstore-read "$node" 2>/dev/null) ;; esac
        read -r uptime _ </proc/uptime
        echo "$uptime $node $node_says"
    done >/log/back-ends.txt
}
watch_back_ends &

start_guest 1
start_guest 2 no-card

memory_is_16() {
    xl list snddom | awk 'NR == 2 { print $3 " MiB"; exit !($3 <= 16) }'
}
check memory_is_16_mib memory_is_16

# A stream with a period of 10 ms.
guest_begin 1 'aplay -q -D hw:0,0 --period-size=480 --buffer-size=4800 /rig/long.wav'
wait_for 5 is_running 1
# Blocked for more than 99 % of the time; see docs/how-it-works.md for what the rest is made of.
share() {
    xentop -b -f -i 2 -d 4 | awk '$1 == "snddom" { percent = $4; seen++ }
        END { print percent " % of a processor"; exit !(seen == 2 && percent > 0 && percent < 1.0) }'
}
check share_of_a_processor_with_10_ms share
check it_plays_on_with_10_ms guest_end 1 20

# A card comes to the second guest while it runs.
check a_card_comes_to_a_running_guest attach_card 2
appears() { guest_run 2 5 'until aplay -l | grep "card 0"; do usleep 100000; done'; }
check its_kernel_sees_the_card appears
check it_plays_on_the_card guest_run 2 10 'aplay -q -D hw:0,0 /rig/second.wav'

# What it may not: arecord doesn't say why it can't, but the kernel has been told, and the driver domain says it.
check recording_is_refused guest_fails 2 10 'arecord -q -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 1 /out/secret.wav'
refusal() { grep -o 'OPEN .* refused: Denied.*' /log/console/guest-snddom.log; }
check it_is_refused_as_denied refusal
check it_plays_all_the_same guest_run 2 10 'aplay -q -D hw:0,0 /rig/third.wav'

# And the card goes again.
check the_card_goes detach_card 2
check its_kernel_has_no_card guest_run 2 5 'until ! [ -e /proc/asound/card0 ]; do usleep 100000; done'
directory_is_removed() { ! xenstore-exists "${policy%/*}/backend/vsnd/$(cat /run/guest2.domid)/0"; }
check its_directory_is_removed directory_is_removed

# From the directory's first sign to the state that lets xl go on, of each device.
waits_within_200_ms() {
    sed -n "s,${policy%/*}/backend/vsnd/,,p" /log/back-ends.txt | awk -v least="$1" '
        { split($2, part, "/"); device = part[1] "/" part[2] }
        part[2] != "" && !(device in began) { began[device] = $1 }
        part[3] == "state" && $3 == 2 && !(device in ended) { ended[device] = $1 }
        END {
            for (device in began) {
                count++
                if (!(device in ended)) { bad = 1; print device " is not"; continue }
                took = (ended[device] - began[device]) * 1000
                if (took > longest) longest = took
            }
            printf "%d devices, %d ms at most\n", count, longest
            exit !(count >= least && !bad && longest <= 200)
        }'
}
check state_2_within_200_ms waits_within_200_ms 2
check guests_have_no_complaint no_complaint 1 2
