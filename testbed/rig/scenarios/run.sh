# The driver domain, and guests that each run one command, all at the same time: `cargo xtask xen`. With fewer outputs than
# guests the codecs are shared in turn, and a mixer's formats and rates are offered.
start_driver_domain
if [ "$OUTPUTS" -lt "$GUESTS" ]; then
    card() { shared_card $((($1 - 1) % OUTPUTS)); }
    for output in $(seq 0 $((OUTPUTS - 1))); do share "$output"; done
fi
guest=0
while [ "$guest" -lt "$GUESTS" ]; do
    guest=$((guest + 1))
    start_guest "$guest" may-record "$GUEST_DRIVER-driver"
done
[ -n "$KEEP" ] && return
for guest in $(seq "$GUESTS"); do guest_begin "$guest" "cd /files && GUEST=$guest sh /rig/command"; done
for guest in $(seq "$GUESTS"); do
    guest_end "$guest" "$COMMAND_SECONDS"
    status=$?
    stage "guest$guest: the command ended with $status"
    hand_out "$guest" || fail "guest$guest can't hand out its files"
    [ "$status" = 0 ] || verdict="fail the command ended with $status in guest$guest"
done
