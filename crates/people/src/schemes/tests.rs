use super::*;

/// What Dovecot 2.3.19 makes of "secret" for joe@x.org.
const DOVECOT: &[&str] = &[
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$fcJClbfuxUDOlR9sr5Sgpw$AAaCk7/fAUiLHgVHoapyygbLo0Er6p7IawRGYSBv1eQ",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$4Whll49gtkSBBUXcwelbvQ$kzdIxoPYi2tfFVNTjP6UMs7Ooo5SQC6Jb6frc7hEYHc",
    "{BLF-CRYPT}$2y$05$IMsGREbhUaUu2N4loA.EJu0xL25TiIBU63HLg2Jezl8EwC9SaqTP6",
    "{SHA256-CRYPT}$5$ieyLXU0hI.PEY1hr$u8sJG6UzdJKOgfMV5fHIGE5cNcLW8dF6P.xIV0u5NJ1",
    "{SHA512-CRYPT}$6$o6uq7Rstbd1g2QKl$YdfKkHS/rMnvO8.ox3pBFfMRXQaOoCBmvlb8BbsVlY8MHGNJWc6wGfdF1sMfhvulxuqkXBZaROmIQ/oMCNXSA.",
    "{CRYPT}$2y$05$hsePpd2nkphiqQlOboBou.1gjCuLdYpS8XE21hdSIEaF7cekvZxeW",
    "{MD5-CRYPT}$1$4cPucu0H$Wkny9F9iQtnDKtrAnTH/q0",
    "{MD5}$1$XKdzstMy$N/UOUIpzxpYgS.SnXI0PD0",
    "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{SSHA}sOwk6GzIgakLGx/XfcT87L41PLWt474E",
    "{SSHA256}WnO47Wpy/N3wLIVz25hU2hQpkerZbSOHEuxVCyW76OhvxSch",
    "{SSHA512}pQ+gjf5Nz0Voy494pb8kEw4YR6SFi8Z2Rr4IAghkk8ygIt1B+Djm9vWDyD+CNwCPkmk7QV3ziVq7378TGd4YNz3/Nzs=",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{sha1}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
    "{SMD5}6MA/P7NDKDjM6j9q4wdv6oEGcSc=",
    "{PBKDF2}$1$WbGrJIcBtLWCivmH$5000$8d2d60789c4744d04d1a2fe17865a2f9c6d1c874",
    "{SCRAM-SHA-1}4096,6435xhZwNssp3Ai+5uQEkg==,3U5PPsBJEQddQeyfYI6ZvIIPhu0=,s5aiUjsdvuqKLPIpkljYjZVDCPA=",
    "{SCRAM-SHA-256}4096,e7y1tajr1Agh9GG2IAZ60g==,yTb1CaZy38Ptg4YHNSQw51O9wceTAjIKMEI6NwZMUzo=,ciHVQ9jdpsB1ljirVA/WXmodbfzZl4XZ6GlDyukpilc=",
    "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    "{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
    "{PLAIN}secret",
    "{CLEARTEXT}secret",
    "{CLEAR}secret",
    "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
    "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
    "{PLAIN-TRUNC}3-sec",
    "{DIGEST-MD5}dbfa5eafe463feea9517c94510c8ef2b",
    "{SSHA.HEX}726964fbdcc92a925e8c7fb8b60f851ce745e5947761b5fc",
    "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "{PLAIN.B64}c2VjcmV0",
    "{MD5-CRYPT.b64}JDEkM3dOaTB3QkEkVVZwQUNnamdtMVMvV1dqclEzNjE3Lw==",
];

#[test]
fn what_dovecot_stored_is_understood() {
    for stored in DOVECOT {
        assert_eq!(verify("secret", "joe@x.org", stored, "PLAIN"), Ok(true), "{stored}");
        assert_eq!(verify("geheim", "joe@x.org", stored, "PLAIN"), Ok(false), "{stored}");
    }
}

#[test]
fn what_is_generated_is_verified_and_never_twice_the_same() {
    for scheme in SCHEMES.iter().filter(|scheme| scheme.generate.is_some() && scheme.name != "PLAIN-TRUNC") {
        let made = generate(scheme.name, "pass wörd", "joe@x.org").unwrap();
        assert_eq!(verify("pass wörd", "joe@x.org", &made, ""), Ok(true), "{made}");
        assert_eq!(verify("pass word", "joe@x.org", &made, ""), Ok(false), "{made}");
        let salted =
            scheme.strength == Strength::Strong || scheme.name.starts_with('S') && scheme.length.is_none();
        let again = generate(scheme.name, "pass wörd", "joe@x.org").unwrap();
        assert_eq!(made != again, salted || scheme.name.starts_with("MD5"), "{made}");
    }
    assert!(generate("PLAIN", "a\0b", "joe").is_err());
}

#[test]
fn crypt_knows_what_the_c_library_knows() {
    // DES, and SHA-1 of NetBSD: from crypt(3) itself.
    for stored in ["{CRYPT}t8BPOvdT1O3xM", "{DES-CRYPT}t8BPOvdT1O3xM"] {
        match verify("secret", "", stored, "") {
            Err(missing) => assert!(missing.contains("not installed"), "{missing}"),
            right => assert_eq!(right, Ok(true), "{stored}"),
        }
    }
    for never in ["", "!", "*", "x"] {
        assert_eq!(verify("", "", never, "CRYPT"), Ok(false), "{never}");
    }
}

#[test]
fn a_broken_hash_is_told_without_showing_it() {
    for broken in [
        "{NOSUCH}topsecret",
        "{SSHA}topsecret",
        "{SCRAM-SHA-1}topsecret",
        "{PBKDF2}topsecret",
        "{SHA256}topsecret!",
        "{SHA.X}topsecret",
        "{ARGON2ID}topsecret",
    ] {
        let error = verify("x", "joe", broken, "PLAIN").unwrap_err();
        assert!(!error.contains("topsecret"), "{error}");
    }
}

#[test]
fn challenges_are_answered_from_secrets_or_clear_passwords_only() {
    let cram = find("CRAM-MD5").unwrap();
    let stored = "{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56";
    let kept = |stored| secret(cram, "joe", stored, "PLAIN");
    assert_eq!(kept(stored), kept("secret"));
    assert!(kept(stored).is_some());
    assert_eq!(kept("{SSHA}sOwk6GzIgakLGx/XfcT87L41PLWt474E"), None);
    assert_eq!(kept("{PLAIN-TRUNC}3-sec"), None);
}

#[test]
fn every_scheme_is_named_once() {
    for (n, scheme) in SCHEMES.iter().enumerate() {
        assert!(SCHEMES[..n].iter().all(|other| other.name != scheme.name), "{}", scheme.name);
        assert_eq!(scheme.name, scheme.name.to_ascii_uppercase());
    }
}
