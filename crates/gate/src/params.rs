//! Parameters of what is remembered.

conf::params! {
    /// Greylisting, as postgrey does it.
    pub struct Greylist {
        /// How long the first attempt of a client, sender and recipient is put off, in seconds (postgrey's `--delay`).
        greylist_delay: Time(1..) = "300s", own;
        /// How long an entry is kept after it was last seen, in days (`--max-age`).
        greylist_max_age: Time(1..) = "35d", own;
        /// How long after the first attempt the second may come, in days (`--retry-window`).
        greylist_retry_window: Time(1..) = "2d", own;
        /// After so many messages that came through, one an hour counted, a client's address is not put off any more
        /// (`--auto-whitelist-clients`). 0: never.
        greylist_auto_whitelist_clients: Int(0..) = "5", own;
        /// Whole addresses, and not networks, are what a client is known by (`--lookup-by-host`).
        greylist_lookup_by_host: YesNo = "no", own;
        /// Length of the network prefix that IPv4 clients are known by (`--ipv4cidr`).
        greylist_ipv4cidr: Int(1..=32) = "24", own;
        /// Length of the network prefix that IPv6 clients are known by (`--ipv6cidr`).
        greylist_ipv6cidr: Int(1..=128) = "64", own;
        /// What else makes two addresses the same client, so that a provider may try again from another one: `name`
        /// (their verified names are of one domain), `spf` (the sender's policy permits both). Empty: nothing.
        greylist_pools: List = "name, spf", own;
        /// The access(5) action for what is put off (`--greylist-action`).
        greylist_action: Text = "DEFER_IF_PERMIT", own;
        /// What the client is told; `%s` are the seconds left, `%r` is the recipient's domain (`--greylist-text`).
        greylist_text: Raw = "Greylisted, see http://postgrey.schweikert.ch/help/%r.html", own;
        /// The header of a message that was put off; `%t` are the seconds, `%v` is our version, `%h` our name, `%d` the
        /// date (`--x-greylist-header`). Empty: none.
        greylist_header: Raw = "X-Greylist: delayed %t seconds by facteur-%v at %h; %d", own;
        /// Files of clients that are never put off, in postgrey's format (`--whitelist-clients`). Those that are not
        /// there are empty.
        greylist_whitelist_clients: List = "/etc/postgrey/whitelist_clients, /etc/postgrey/whitelist_clients.local", own;
        /// Files of recipients for whom nobody is put off (`--whitelist-recipients`).
        greylist_whitelist_recipients: List = "/etc/postgrey/whitelist_recipients, /etc/postgrey/whitelist_recipients.local", own;
        /// Most entries that are remembered. When there are more, those that never came through are forgotten first,
        /// of the network that has most of them.
        greylist_entry_limit: Int(1000..) = "200000", own;
    }
}

conf::params! {
    /// Bans of those who fail to log in, or abuse the protocol.
    pub struct Bans {
        /// Whether anybody is banned.
        ban_enable: YesNo = "no", own;
        /// After so many failed logins to one account from one address (of IPv6: from one /64) within `ban_find_time`,
        /// that account cannot be logged in to from there.
        ban_account_failures: Int(1..) = "5", own;
        /// After failed logins to so many accounts from one address, the address is banned whole.
        ban_address_accounts: Int(1..) = "5", own;
        /// After so many abuses of the protocol (sessions that ended with too many errors, or that spoke HTTP), the
        /// address is banned whole.
        ban_address_offences: Int(1..) = "10", own;
        /// How long failures are remembered, in seconds.
        ban_find_time: Time(1..) = "600s", own;
        /// How long a first ban lasts, in seconds; each further one lasts twice as long.
        ban_time: Time(1..) = "600s", own;
        /// The longest ban, in days; so long after a ban its address is a stranger again.
        ban_time_limit: Time(1..) = "7d", own;
        /// Who is never banned.
        ban_exceptions: List = "$mynetworks", own;
        /// Proxies whose word of who the client is (PROXY protocol) is enough to ban that client.
        ban_trusted_proxies: List = "$mynetworks", own;
    }
}

conf::params! {
    /// Limits of what accounts send out. Accounts are the names that clients log in with.
    pub struct Outbound {
        /// The time span of these limits, in hours.
        outbound_time_unit: Time(1..) = "1h", own;
        /// Messages that an account may send in this time. 0: no limit.
        outbound_account_message_limit: Int = "0", own;
        /// Recipients that an account may send to in this time. 0: no limit.
        outbound_account_recipient_limit: Int = "0", own;
        /// Messages that all accounts of a domain may send together in this time. 0: no limit.
        outbound_domain_message_limit: Int = "0", own;
        /// Recipients that all accounts of a domain may send to together in this time. 0: no limit.
        outbound_domain_recipient_limit: Int = "0", own;
        /// An account that sends to so many times more recipients than it uses to has its mail held, and the
        /// postmaster is told. 0: none has.
        outbound_habit_factor: Int = "0", own;
        /// So many recipients in this time are never above the habit.
        outbound_habit_minimum: Int(1..) = "100", own;
        /// Accounts without such limits.
        outbound_limit_exceptions: List = "", own;
        /// Tables of accounts with other limits, by the account or its `@domain`: `messages=500 recipients=5000`,
        /// `habit=no`, or `none`.
        outbound_limit_maps: Maps = "", own;
    }
}
