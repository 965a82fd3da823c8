# Signatures: every algorithm, and every way known to get around one. The
# good tokens come first in a block, so that on the second pass each forged
# one meets a cache in which the token it was made from is warm.

use lib 't/lib';
use ProxyUser qw(:blocks);
use Test::Nginx::Socket;

use Math::BigInt;

repeat_each(2);
plan tests => repeat_each() * 3 * 266;

our $http = 'large_client_header_buffers 4 64k;';

our $config = <<'END';
    location /t {
        proxy_user on;
        proxy_pass $TEST_NGINX_BACKEND;
    }
END

our %good = map { $_ => token(alg => $_) }
    map({ ("RS$_", "PS$_", "ES$_") } 256, 384, 512), 'EdDSA';

# Order of the curve's group, size of r and s.
our %curve = (
    ES256 => ['FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2'
              . 'FC632551', 32],
    ES384 => ['FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81'
              . 'F4372DDF581A0DB248B0A77AECEC196ACCC52973', 48],
    ES512 => ['01' . 'F' x 65 . 'A51868783BF2F966B7FCC0148F709A5D03BB5C9B8'
              . '899C47AEBB6FB71E91386409', 66],
);

sub accepted {
    my ($title, $token) = @_;
    return [$title, 'GET /t', $token, 200, 'ok'];
}

sub refused {
    my ($title, $token, $reason) = @_;
    return [$title, 'GET /t', $token, 401, $reason // 'token_signature'];
}

# The token with other bytes for a signature.
sub resigned {
    my ($title, $token, $change) = @_;
    return refused($title, tamper($token, 2, $change));
}

sub bytes {
    my ($number, $size) = @_;
    return pack 'H*', substr '0' x 132 . Math::BigInt->new($number)->to_hex,
                             -2 * $size;
}

sub backwards { scalar reverse $_[0] }

sub number { Math::BigInt->from_hex(unpack 'H*', $_[0]) }

# ECDSA's (r, s) as DER.
sub der {
    my ($r, $s) = @_;

    my $body = join '', map {
        my $b = $_ =~ s/^\0+//r;
        $b = "\0$b" if ord($b) & 0x80;
        "\x02" . chr(length $b) . $b
    } $r, $s;

    return "\x30" . (length $body > 127 ? "\x81" : '') . chr(length $body)
        . $body;
}

run_tests();

__DATA__

=== TEST 1: every algorithm of the default list verifies with its own key
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
[
    (map { ::accepted($_, $::good{$_}) } sort keys %::good),
    (map { ::accepted("$_ without kid", main::token(alg => $_,
                                                    kid => undef)) }
        sort keys %::good),
    ::accepted('RS256 by the other RSA key', main::token(key => 'rsa2')),
    ::accepted('ES256 by the other key',
               main::token(alg => 'ES256', key => 'ec256b')),
]



=== TEST 2: H2, K6: a symmetric algorithm never meets a public key
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $der = Crypt::PK::RSA->new(\main::pem('rsa1'));
my $jwk = main::jwk('rsa1');
my %secret = (
    'the PEM' => $der->export_key_pem('public_x509'),
    'the PEM without its last line end' =>
        $der->export_key_pem('public_x509') =~ s/\n\z//r,
    'the PKCS#1 PEM' => $der->export_key_pem('public'),
    'the DER' => $der->export_key_der('public'),
    'the modulus' => main::unb64u($jwk->{n}),
    'the modulus as written' => $jwk->{n},
    'the JWK' => JSON::PP->new->canonical->encode($jwk),
    'a zero byte' => "\0",
);
my $hs = sub {
    my ($alg, $kid, $title) = @_;
    ::refused("$alg with $title, kid " . ($kid // 'none'),
              main::token(alg => $alg, kid => $kid,
                          secret => $secret{$title}), 'token_algorithm');
};
[
    (map { $hs->('HS256', 'rsa1', $_) } sort keys %secret),
    (map { $hs->($_, 'rsa1', 'the PEM') } qw(HS384 HS512)),
    $hs->('HS256', undef, 'the PEM'),
    $hs->('HS256', 'ec256', 'the JWK'),
    ::refused('RS256 in the header, HMAC below',
              main::token(alg => 'RS256', sign => 'HS256', kid => 'rsa1',
                          secret => $secret{'the PEM'})),
    ::refused('none with the good signature', main::jws(
        '{"alg":"none","kid":"rsa1"}', '{}', sign => 'RS256'),
        'token_algorithm'),
]



=== TEST 3: H2: only the issuer's list says what may verify
--- http_config eval
"$::http
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    algorithms PS256 ES384;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
}"
--- config eval: $::config
--- cases eval
[
    ::accepted('PS256', $::good{PS256}),
    ::accepted('ES384', $::good{ES384}),
    map { ::refused($_, $::good{$_}, 'token_algorithm') }
        grep { !/PS256|ES384/ } sort keys %::good
]



=== TEST 4: K6: the algorithm must fit the key's type and curve
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my %fits = (RS => 'rsa1', PS => 'rsa1', ES256 => 'ec256', ES384 => 'ec384',
            ES512 => 'ec521', EdDSA => 'ed25519');
my @case;
for my $alg (sort keys %::good) {
    my $own = $fits{$alg} // $fits{substr $alg, 0, 2};
    for my $kid (sort grep { $_ ne $own } qw(rsa1 ec256 ec384 ec521
                                             ed25519)) {
        push @case, ::refused("$alg under the kid $kid",
            main::token(alg => $alg, kid => $kid), 'token_key_unknown');
    }
}
\@case



=== TEST 5: K6: the algorithm of the header is the one that is checked
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $as = sub {
    my ($alg, $sign) = @_;
    ::refused("$sign under the name $alg",
              main::token(alg => $alg, sign => $sign, kid => 'rsa1'));
};
[
    $as->('RS256', 'PS256'), $as->('PS256', 'RS256'),
    $as->('RS256', 'RS512'), $as->('RS512', 'RS256'),
    $as->('PS256', 'PS384'), $as->('PS512', 'PS256'),
    ::accepted('RS256', $::good{RS256}),
]



=== TEST 6: S5: one changed bit anywhere is one too many
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my @case = map { ::accepted($_, $::good{$_}) } sort keys %::good;
for my $alg (sort keys %::good) {
    my $t = $::good{$alg};
    my $flip = sub { my ($at) = @_; sub {
        my ($b) = @_;
        substr($b, $at, 1) ^= "\1";
        return $b;
    } };
    push @case, ::resigned("$alg, first byte", $t, $flip->(0)),
        ::resigned("$alg, last byte", $t, $flip->(-1)),
        ::resigned("$alg, somewhere", $t, $flip->(20)),
        ::refused("$alg, another subject", main::tamper($t, 1, sub {
            $_[0] =~ s/alice/alicf/r })),
        ::refused("$alg, another header", main::tamper($t, 0, sub {
            $_[0] =~ s/JWT/jwt/r }));
}
\@case



=== TEST 7: S5: a signature of something else is none
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my ($h, $b, $s) = split /\./, $::good{RS256};
my ($oh, $ob, $os) = split /\./,
    main::token(claims => { sub => 'bob', roles => ['admin'] });
[
    ::accepted('alice', $::good{RS256}),
    ::accepted('bob', "$oh.$ob.$os"),
    ::refused('the payload of bob', "$h.$ob.$s"),
    ::refused('the signature of bob', "$h.$b.$os"),
    ::refused('by the other RSA key',
              main::token(key => 'rsa2', kid => 'rsa1')),
    ::refused('by a key nobody knows, no kid',
              main::token(key => 'rsa1024', kid => undef)),
    ::refused('by the other EC key',
              main::token(alg => 'ES256', key => 'ec256b',
                          kid => 'ec256')),
    ::refused('over the payload alone', main::token(signature =>
              main::signature('RS256', 'rsa1', main::unb64u($b)))),
    ::refused('over the decoded parts', main::token(signature =>
              main::signature('RS256', 'rsa1', main::unb64u($h) . '.'
                              . main::unb64u($b)))),
    ::refused('a hash instead', main::token(signature =>
              Digest::SHA::sha256("$h.$b"))),
    ::refused('256 zero bytes', main::token(signature => "\0" x 256)),
    ::refused('256 bytes of ff', main::token(signature => "\xff" x 256)),
    ::refused('the number one', main::token(signature =>
                                            "\0" x 255 . "\1")),
]



=== TEST 8: S1: a signature has exactly the length of its algorithm
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my @case;
for my $alg (qw(RS256 PS256 ES256 ES384 ES512 EdDSA)) {
    my $t = $::good{$alg};
    push @case, ::resigned("$alg, one byte", $t, sub { substr $_[0], 0, 1 }),
        ::resigned("$alg, the last byte missing", $t,
                   sub { substr $_[0], 0, -1 }),
        ::resigned("$alg, the first byte missing", $t,
                   sub { substr $_[0], 1 }),
        ::resigned("$alg, a zero byte behind", $t, sub { "$_[0]\0" }),
        ::resigned("$alg, a zero byte before", $t, sub { "\0$_[0]" }),
        ::resigned("$alg, twice", $t, sub { "$_[0]$_[0]" });
}
push @case, ::resigned('ES256 of 4000 bytes', $::good{ES256},
                       sub { "\1" x 4000 });
for my $alg (qw(ES256 ES384 ES512)) {
    my $size = $::curve{$alg}[1];
    my $t = $::good{$alg};
    my $half = sub { substr($_[0], 0, $size), substr $_[0], $size };
    push @case, ::resigned("$alg in DER", $t, sub { ::der($half->($_[0])) }),
        ::resigned("$alg, r and s each longer", $t,
                   sub { my ($r, $s) = $half->($_[0]); "\0$r\0$s" });
}
\@case



=== TEST 9: S2: ECDSA's r and s lie between 1 and n - 1
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my @case;
for my $alg (qw(ES256 ES384 ES512)) {
    my ($hex, $size) = @{ $::curve{$alg} };
    my $n = Math::BigInt->from_hex($hex);
    my $t = $::good{$alg};
    my $set = sub {
        my ($title, $r, $s) = @_;
        ::resigned("$alg, $title", $t, sub {
            my ($r0, $s0) = (substr($_[0], 0, $size),
                             substr $_[0], $size);
            (defined $r ? ::bytes($r, $size) : $r0)
                . (defined $s ? ::bytes($s, $size) : $s0);
        });
    };
    my $s = ::number(substr main::unb64u((split /\./, $t)[2]), $size);

    push @case, $set->('both 0', 0, 0), $set->('r 0', 0, undef),
        $set->('s 0', undef, 0), $set->('r n', $n, undef),
        $set->('s n', undef, $n), $set->('both n', $n, $n),
        $set->('both 1', 1, 1), $set->('r 0 and s 1', 0, 1),
        $set->('r n + 1', $n + 1, undef),
        $set->('all ones', Math::BigInt->new(256) ** $size - 1,
               Math::BigInt->new(256) ** $size - 1);

    # -s signs the same: JWS has no rule for low s.
    push @case, ::accepted("$alg, s negated", main::tamper($t, 2, sub {
        substr($_[0], 0, $size) . ::bytes($n - $s, $size) }));
    push @case, $set->('s + n', undef, $s + $n)
        if ($s + $n) < Math::BigInt->new(256) ** $size;
}
\@case



=== TEST 10: S3: PSS with the salt of the hash's length, and Ed25519 with s < L
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $salted = sub {
    my ($alg, $salt) = @_;
    ::refused("$alg with a salt of $salt",
              main::token(alg => $alg, salt => $salt));
};
my $order = Math::BigInt->new(2) ** 252
    + Math::BigInt->new('27742317777372353535851937790883648493');
[
    ::accepted('PS256 with a salt of 32',
               main::token(alg => 'PS256', salt => 32)),
    (map { $salted->('PS256', $_) } 0, 20, 31, 33, 64, 222),
    (map { $salted->('PS384', $_) } 0, 32, 64),
    (map { $salted->('PS512', $_) } 0, 32, 48),
    ::resigned('Ed25519, s + L', $::good{EdDSA}, sub {
        my $s = ::number(::backwards(substr $_[0], 32)) + $order;
        substr($_[0], 0, 32) . ::backwards(::bytes($s, 32));
    }),
    ::resigned('Ed25519, s = 0', $::good{EdDSA}, sub {
        substr($_[0], 0, 32) . "\0" x 32 }),
    ::resigned('Ed25519, all zero', $::good{EdDSA}, sub { "\0" x 64 }),
    ::resigned('Ed25519, R the neutral point', $::good{EdDSA}, sub {
        "\1" . "\0" x 63 }),
]



=== TEST 11: K10: without a kid at most four keys are tried
--- http_config eval
my @stranger = map {
    my $key = Crypt::PK::ECC->new;
    $key->generate_key('secp256r1');
    JSON::PP::decode_json($key->export_key_jwk('public'));
} 1 .. 4;
my $file = sub {
    my ($name, @key) = @_;
    main::write_file("$name.json", main::jwks(@key));
    "proxy_user_issuer $name {
        issuer https://$name.example.com;
        audience api;
        jwks_file \$TEST_NGINX_KEYS/$name.json;
    }\n";
};
my $own = main::jwk('ec256', kid => undef);
my @kid = map { { %{ $stranger[$_] }, kid => "s$_" } } 0 .. 3;
my $ec256 = main::jwk('ec256');
"$::http\n" . $file->('first', $own)
    . $file->('fourth', @kid[0 .. 2], $ec256)
    . $file->('fifth', @kid, $ec256)
    . $file->('mixed', map({ main::jwk($_) } qw(rsa1 rsa2 ec384 ec521
                                                ed25519)), $ec256);
--- config eval: $::config
--- cases eval
my $by = sub {
    my ($issuer, $kid) = @_;
    main::token(alg => 'ES256', kid => $kid,
                claims => { iss => "https://$issuer.example.com" });
};
[
    ::accepted('the first', $by->('first')),
    ::accepted('the fourth', $by->('fourth')),
    ::accepted('the sixth, but the first of its type', $by->('mixed')),
    ::accepted('the fifth by its kid', $by->('fifth', 'ec256')),
    ::refused('the fifth', $by->('fifth')),
    ::refused('a kid that no key has', $by->('first', 'ec256'),
              'token_key_unknown'),
]
