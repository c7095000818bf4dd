//! Parameters of rewriting and of routing: what becomes of an address, and where its mail goes next.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

conf::params! {
    /// How addresses are brought into the form `user@domain`.
    pub struct Rewrite {
        /// Whether an address without a domain is completed with `myorigin`.
        append_at_myorigin: YesNo = "yes";
        /// Whether a domain without a dot is completed with `mydomain`.
        append_dot_mydomain: YesNo = "${{$compatibility_level} <level {1} ? {yes} : {no}}";
        /// Whether `user%domain` is read as `user@domain`.
        allow_percent_hack: YesNo = "yes";
        /// Whether `site!user` is read as `user@site`.
        swap_bangpath: YesNo = "yes";
        /// Whether mail with a route in the recipient, such as `user@other@here`, may be passed on for
        /// strangers.
        allow_untrusted_routing: YesNo = "no";
        /// Whether addresses may begin with a `-`, which commands could take for an option.
        allow_min_user: YesNo = "no";
        /// Whether routing looks inside a quoted local part for further `@`, `%` and `!`, which is safer.
        resolve_dequoted_address: YesNo = "yes";
        /// Whether an address that ends in `@` belongs to this host instead of being invalid.
        resolve_null_domain: YesNo = "no";
        /// Whether `user@192.0.2.1` is read as `user@[192.0.2.1]` instead of being invalid.
        resolve_numeric_domain: YesNo = "no";
        /// Whether `owner-list` and `list-request` are kept whole when the delimiter is `-`, and `owner-list`
        /// becomes the sender of what the alias `list` sends on.
        owner_request_special: YesNo = "yes";
        /// Clients whose message headers are rewritten and completed like those of local mail.
        local_header_rewrite_clients: List = "permit_inet_interfaces";
        /// The domain that completes header addresses from all other clients; when empty, those stay as they
        /// are.
        remote_header_rewrite_domain: Text = "";
        /// The master.cf entry whose `-o` settings apply to rewriting and routing.
        rewrite_service_name: Text = "rewrite",
            no_effect "addresses are rewritten within the program";
    }
}

conf::params! {
    /// Tables that replace addresses before mail enters the queue.
    pub struct Canonical {
        /// Tables that replace addresses in envelopes and headers, of senders and of recipients.
        canonical_maps: Maps = "";
        /// Which addresses `canonical_maps` is used for.
        canonical_classes: List = "envelope_sender, envelope_recipient, header_sender, header_recipient";
        /// Tables that replace addresses of senders; they come before `canonical_maps`.
        sender_canonical_maps: Maps = "";
        /// Which addresses `sender_canonical_maps` is used for.
        sender_canonical_classes: List = "envelope_sender, header_sender";
        /// Tables that replace addresses of recipients; they come before `canonical_maps`.
        recipient_canonical_maps: Maps = "";
        /// Which addresses `recipient_canonical_maps` is used for.
        recipient_canonical_classes: List = "envelope_recipient, header_recipient";
        /// Domains behind which the host names below them are hidden; `!name` leaves a domain out.
        masquerade_domains: List = "";
        /// Which addresses are masqueraded.
        masquerade_classes: List = "envelope_sender, header_sender, header_recipient";
        /// User names whose addresses are never masqueraded.
        masquerade_exceptions: List = "";
        /// Into which kinds of replaced addresses an extension, `+ext`, is carried over.
        propagate_unmatched_extensions: List = "canonical, virtual";
    }
}

conf::params! {
    /// Virtual aliases: recipients replaced by others, within bounds.
    pub struct VirtualAlias {
        /// Tables that send mail for an address or domain on to other addresses.
        virtual_alias_maps: Maps = "$virtual_maps";
        /// Domains all of whose addresses are virtual aliases.
        virtual_alias_domains: List = "$virtual_alias_maps";
        /// How many recipients one recipient may become.
        virtual_alias_expansion_limit: Int(1..) = "1000";
        /// How many replacements deep aliases may refer to each other.
        virtual_alias_recursion_limit: Int(1..) = "1000";
        /// How long an address may grow by replacement, in characters.
        virtual_alias_address_length_limit: Int(1..) = "1000";
    }
}

conf::params! {
    /// The classes a domain can be of, and the users known in each.
    pub struct Classes {
        /// Domains that we relay for without being their last stop.
        relay_domains: List = "${{$compatibility_level} <level {2} ? {$mydestination} : {}}";
        /// Tables of all valid recipients in `relay_domains`; when empty, every address is valid.
        relay_recipient_maps: Maps = "";
        /// Domains whose mail is delivered to virtual mailboxes.
        virtual_mailbox_domains: List = "$virtual_mailbox_maps";
        /// Tables of the valid addresses of virtual mailboxes, with the place of each.
        virtual_mailbox_maps: Maps = "";
        /// Tables of the valid users in `mydestination` and local addresses; when empty, every name is valid.
        local_recipient_maps: Maps = "proxy:unix:passwd.byname $alias_maps";
        /// Tables of addresses that have moved; their mail is returned with the new address.
        relocated_maps: Maps = "";
        /// Who gets mail for the null address when it has to be delivered.
        empty_address_recipient: Text = "MAILER-DAEMON";
        /// The file of domains taken over in an emergency, which `facteur domain takeover` and `giveback` keep.
        ///
        /// A change takes effect at once, without a reload.
        domain_takeover_file: Path = "$data_directory/takeover", own;
        /// Whether a refusal says in which table a recipient was looked for.
        show_user_unknown_table_name: YesNo = "yes";
    }
}

conf::params! {
    /// The transport and next hop of a recipient.
    pub struct Transport {
        /// Tables that give the transport, the next hop, or both, for an address or domain.
        transport_maps: Maps = "";
        /// The host that mail for other domains goes through; empty means straight to the domain itself.
        relayhost: Text = "";
        /// The transport of domains of no class.
        default_transport: Text = "smtp";
        /// The transport of local domains.
        local_transport: Text = "local:$myhostname";
        /// The transport of `relay_domains`.
        relay_transport: Text = "relay";
        /// The transport of `virtual_mailbox_domains`.
        virtual_transport: Text = "virtual";
        /// Tables that give, by sender, another `relayhost`.
        sender_dependent_relayhost_maps: Maps = "";
        /// Tables that give, by sender, another `default_transport`.
        sender_dependent_default_transport_maps: Maps = "";
        /// The key under which the null sender is looked up for its relay host.
        empty_address_relayhost_maps_lookup_key: Text = "<>";
        /// The key under which the null sender is looked up for its default transport.
        empty_address_default_transport_maps_lookup_key: Text = "<>";
    }
}

conf::params! {
    /// The same settings as seen by address verification probes.
    pub struct ProbeTransport {
        /// The transport of local domains for probes.
        address_verify_local_transport: Text = "$local_transport";
        /// The transport of virtual mailbox domains for probes.
        address_verify_virtual_transport: Text = "$virtual_transport";
        /// The transport of relay domains for probes.
        address_verify_relay_transport: Text = "$relay_transport";
        /// The transport of all other domains for probes.
        address_verify_default_transport: Text = "$default_transport";
        /// The relay host for probes.
        address_verify_relayhost: Text = "$relayhost";
        /// The transport tables for probes.
        address_verify_transport_maps: Maps = "$transport_maps";
        /// The relay host by sender for probes.
        address_verify_sender_dependent_relayhost_maps: Maps = "$sender_dependent_relayhost_maps";
        /// The default transport by sender for probes.
        address_verify_sender_dependent_default_transport_maps: Maps
            = "$sender_dependent_default_transport_maps";
    }
}
