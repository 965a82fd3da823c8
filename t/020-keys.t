# A JWK Set is judged when it is read. A bad key is left out with a warning
# and its tokens are of an unknown key; a bad set fails nginx -t.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use JSON::PP ();
use Math::BigInt;

my $json = JSON::PP->new->canonical->utf8;

sub issuer {
    my ($file, $name) = (@_, 'idp');

    return <<"END";
proxy_user_issuer $name {
    issuer https://$name.example.com;
    audience api;
    jwks_file $file;
}
END
}

sub judged { nginx_t(http => issuer(write_file('set.json', $_[0]))) }

sub warnings_of { scalar(() = $_[0] =~ /^nginx: \[warn\]/mg) }

# An integer as a JWK writes it.
sub integer {
    my ($n) = @_;

    my $hex = Math::BigInt->new($n)->to_hex;
    return b64u(pack 'H*', length($hex) % 2 ? "0$hex" : $hex);
}

sub rsa {
    my ($title, %change) = @_;
    return ["$title (RSA)", jwk('rsa1', %change)];
}

sub ec {
    my ($title, %change) = @_;
    return ["$title (EC)", jwk('ec256', %change), 'ES256'];
}

sub okp {
    my ($title, %change) = @_;
    return ["$title (OKP)", jwk('ed25519', %change), 'EdDSA'];
}

my $n = unb64u(jwk('rsa1')->{n});
my ($x, $y) = map { unb64u(jwk('ec256')->{$_}) } qw(x y);
my $ed = unb64u(jwk('ed25519')->{x});

# A modulus that is 1 modulo every small prime, as those of a smart card
# library that chose its primes badly.
my $small = Math::BigInt->new(1);
$small *= $_ for 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53,
    59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131,
    137, 139, 149, 151, 157, 163, 167;
my $roca = Math::BigInt->new(2) ** 2047;
$roca = $roca - $roca % $small + $small + 1;

my @bad = (
    ['K7: 1024 bits (RSA)', jwk('rsa1024'), 'RS256', 'rsa1024'],
    ['K7: 2040 bits (RSA)', jwk('rsa2040'), 'RS256', 'rsa2040'],
    ['K7: the exponent 3 (RSA)', jwk('rsa-e3'), 'RS256', 'rsa-e3'],
    rsa('K7: the exponent 1', e => integer(1)),
    rsa('K7: the exponent 65535', e => integer(65535)),
    rsa('K7: an even exponent', e => integer(65538)),
    rsa('K7: an exponent above 2^32', e => integer('4294967299')),
    rsa('K7: an exponent as long as the modulus', e => b64u($n)),
    rsa('K7: the exponent 0', e => b64u("\0")),
    rsa('K7: an even modulus', n => b64u(substr($n, 0, -1) . "\2")),
    rsa('K7: 8200 bits', n => b64u("\xff" x 1025)),
    rsa('K7: a modulus of ROCA', n => integer($roca)),
    rsa('K7: a modulus of zeros', n => b64u("\0" x 256)),
    rsa('K7: a zero byte before the modulus', n => b64u("\0$n")),
    rsa('K7: a zero byte before the exponent', e => b64u("\0\1\0\1")),
    rsa('K7: no modulus', n => undef),
    rsa('K7: no exponent', e => undef),
    rsa('K7: an empty modulus', n => ''),
    rsa('K7: the modulus a number', n => 17),
    rsa('K7: the exponent a number', e => 65537),
    rsa('K7: the modulus padded', n => b64u($n) . '=='),
    rsa('K7: the modulus in the other alphabet', n => b64u($n) . '+/'),
    rsa('K7: the modulus A===', n => 'A==='),
    rsa('K5: use enc', use => 'enc'),
    rsa('K5: use in capitals', use => 'SIG'),
    rsa('K5: use no string', use => ['sig']),
    rsa('K5: key_ops without verify', key_ops => ['encrypt', 'wrapKey']),
    rsa('K5: key_ops that only signs', key_ops => ['sign']),
    rsa('K5: key_ops empty', key_ops => []),
    rsa('K5: key_ops no array', key_ops => 'verify'),
    rsa('K5: alg for encryption', alg => 'RSA-OAEP'),
    rsa('K5: alg of another type', alg => 'ES256'),
    rsa('K5: alg none', alg => 'none'),
    rsa('K5: alg symmetric', alg => 'HS256'),
    rsa('K5: alg no string', alg => 256),
    rsa('K6: kty in small letters', kty => 'rsa'),
    rsa('K6: kty missing', kty => undef),
    rsa('K6: kty unknown', kty => 'AKP'),
    rsa('K6: kty no string', kty => 1),
    rsa('H8: kid no string', kid => 7),
    rsa('H8: kid of 257 bytes', kid => 'k' x 257),
    ['K6: secp256k1 (EC)', jwk('secp256k1'), 'ES256', 'secp256k1'],
    ec('K6: crv missing', crv => undef),
    ec('K6: crv unknown', crv => 'P-192'),
    ec('K6: crv of another size', crv => 'P-384'),
    ec('K6: crv no string', crv => 256),
    ec('K8: x one byte short', x => b64u(substr $x, 1)),
    ec('K8: x one byte long', x => b64u("\0$x")),
    ec('K8: y one byte short', y => b64u(substr $y, 0, -1)),
    ec('K8: y one byte long', y => b64u("$y\0")),
    ec('K8: y missing', y => undef),
    ec('K8: a point that is not on the curve', y => b64u($x)),
    ec('K8: a point of zeros', x => b64u("\0" x 32), y => b64u("\0" x 32)),
    ec('K8: a coordinate above the prime', x => b64u("\xff" x 32)),
    ec('K8: a compressed point', x => b64u("\2$x"), y => ''),
    ec('K5: alg of another curve', alg => 'ES384'),
    ec('K5: alg of no curve', alg => 'ES521'),
    ec('K5: alg for key agreement', alg => 'ECDH-ES'),
    ec('K5: use enc', use => 'enc'),
    okp('K8: 31 bytes', x => b64u(substr $ed, 1)),
    okp('K8: 33 bytes', x => b64u("$ed\0")),
    okp('K8: no bytes', x => ''),
    okp('K8: x missing', x => undef),
    okp('K6: X25519', crv => 'X25519'),
    okp('K6: Ed448', crv => 'Ed448', x => b64u($ed . substr $ed, 0, 25)),
    okp('K8: the neutral point', x => b64u("\1" . "\0" x 31)),
    okp('K8: a point of order 4', x => b64u("\0" x 32)),
    okp('K8: a point that is not canonical', x => b64u("\xee" . "\xff" x 30
                                                   . "\x7f")),
    okp('K5: alg of another type', alg => 'RS256'),
    okp('K5: alg of key agreement', alg => 'ECDH-ES'),
);

my @good = (
    ['RSA with all that may be said', jwk('rsa1', use => 'sig',
        alg => 'RS256', key_ops => ['verify'], x5t => 'x', x5c => ['MIIB'],
        'x-more' => { a => [1] })],
    ['RSA with two operations', jwk('rsa1', key_ops => ['sign', 'verify'])],
    ['RSA for PSS', jwk('rsa1', alg => 'PS256'), 'PS256'],
    ['EC', jwk('ec256', alg => 'ES256', use => 'sig'), 'ES256'],
    ['EC P-384', jwk('ec384', alg => 'ES384'), 'ES384'],
    ['EC P-521', jwk('ec521', alg => 'ES512'), 'ES512'],
    ['OKP', jwk('ed25519', alg => 'EdDSA'), 'EdDSA'],
    ['OKP without alg', jwk('ed25519'), 'EdDSA'],
);

# One JWK alg is one algorithm: another of the same family is no use of it.
my @other = (
    ['K5: RS256 says the key, RS512 the token', jwk('rsa1', alg => 'RS256'),
     'RS512'],
    ['K5: RS256 says the key, PS256 the token', jwk('rsa1', alg => 'RS256'),
     'PS256'],
    ['K5: PS384 says the key, PS256 the token', jwk('rsa1', alg => 'PS384'),
     'PS256'],
);

# Refused whole. Those with a title in front of them should be good sets.
my @key = map { jwk('rsa1', kid => "k$_") } 1 .. 65;
my $rsa = $json->encode(jwk('rsa1'));
my $big = jwks(jwk('rsa1', pad => 'x' x 1000));
my %set = (
    'K1: no JSON' => 'rsa1',
    'K1: an empty file' => '',
    'K1: a line of nothing' => "\n",
    'K1: an array' => "[$rsa]",
    'K1: a key alone' => $rsa,
    'K1: no keys' => '{}',
    'K1: keys an object' => "{\"keys\":{\"a\":$rsa}}",
    'K1: keys null' => '{"keys":null}',
    'K1: keys a string' => '{"keys":"rsa1"}',
    'K1: a key that is a string' => '{"keys":["rsa1"]}',
    'K1: keys twice' => "{\"keys\":[],\"keys\":[$rsa]}",
    'K1: a member twice' => '{"keys":[' . $rsa =~ s/\}\z/,"kty":"RSA"}/r . ']}',
    'K1: a member twice, once escaped' =>
        '{"keys":[' . $rsa =~ s/\}\z/,"\\u006bty":"EC"}/r . ']}',
    'K1: bytes behind' => jwks(jwk('rsa1')) . 'x',
    'K1: a byte order mark' => "\xef\xbb\xbf" . jwks(jwk('rsa1')),
    'K1: cut' => substr(jwks(jwk('rsa1')), 0, -1),
    'K1: no UTF-8' => jwks(jwk('rsa1')) =~ s/rsa1/rsa\xff/r,
    'K1: 9 levels' => jwks(jwk('rsa1', x => [[[[[[1]]]]]])),
    'K1: more than 256 KiB' => jwks(jwk('rsa1')) . ' ' x (256 * 1024),
    'K1: 65 keys' => jwks(@key),
    'K4: a private RSA key' => private('rsa1'),
    'K4: a private EC key' => private('ec256'),
    'K4: a private OKP key' => private('ed25519'),
    'K4: a private key beside a good one' =>
        jwks(jwk('ec256'), jwk('rsa1', d => 'AQAB')),
    (map { +"K4: an RSA key with $_" => jwks(jwk('rsa1', $_ => 'AQAB')) }
        qw(d p q dp dq qi)),
    'K3: a symmetric key' => jwks({ kty => 'oct', kid => 's', k => b64u('x') }),
    'K3: a symmetric key beside a good one' =>
        jwks(jwk('rsa1'), { kty => 'oct', kid => 's',
                            k => b64u('x' x 32) }),
    'K3: a symmetric key for encryption' =>
        jwks(jwk('rsa1'), { kty => 'oct', kid => 's', use => 'enc',
                            k => b64u('x' x 32) }),
    'K3: k in an RSA key' => jwks(jwk('rsa1', k => 'AQAB')),
    'K2: two RSA keys under one kid' =>
        jwks(jwk('rsa1', kid => 'k'), jwk('rsa2', kid => 'k')),
    'K2: two EC keys under one kid' =>
        jwks(jwk('ec256', kid => 'k'), jwk('ec256b', kid => 'k')),
    'K2: the same key twice' => jwks(jwk('rsa1'), jwk('rsa1')),
);

my %whole = (
    '64 keys' => jwks(@key[0 .. 63]),
    'close to 256 KiB' => $big . ' ' x (256 * 1024 - length $big),
    'two types under one kid' =>
        jwks(jwk('rsa1', kid => 'k'), jwk('ec256', kid => 'k')),
    'white space around it' => "\n  " . jwks(jwk('rsa1')) . "\n\n",
    'members nobody knows' =>
        $json->encode({ keys => [jwk('rsa1')], issuer => 'x' }),
);

sub private {
    my ($name) = @_;
    return jwks($json->decode(
        ProxyUser::Token::key($name)->export_key_jwk('private')));
}

plan tests => @bad * 3 + 2 * @bad + @good * 2 + 2 * @good + 2 * @other
    + keys(%set) * 2 + keys(%whole) + 12;


# Each bad key alone beside a good one.

for (@bad) {
    my ($title, $key) = @$_;
    my ($ok, $text) = judged(jwks(jwk('rsa2'), $key));

    ok $ok, "$title: the set is taken";
    is warnings_of($text), 1, "$title: with one warning";
    my ($part) = grep { length >= 20 } map { substr $_, 0, 20 }
        grep { defined } @$key{qw(n x y)};
    ok !defined $part || index($text, $part) < 0,
        "$title: that does not write the key down";
}

for (@good) {
    my ($title, $key) = @$_;
    my ($ok, $text) = judged(jwks($key));

    ok $ok, "$title: the set is taken";
    is warnings_of($text), 0, "$title: without a warning";
}


# A running nginx: a location and an issuer for each key.

my @row = map({ [@$_, 'token_key_unknown'] } map { [@$_[0, 1],
    $_->[2] // 'RS256', $_->[3]] } @bad, @other);
push @row, map { [@$_[0, 1], $_->[2] // 'RS256', undef, 'ok'] } @good;

my $http = '';
for my $i (0 .. $#row) {
    my $file = write_file("set$i.json", jwks($row[$i][1]));
    $http .= issuer($file, "idp$i");
}

my $nginx = start_nginx(http => $http, server => <<'END');
add_header X-Reason $proxy_user_reason always;
location / { proxy_user on; try_files /index.html =404; }
END

for my $pass ('cold', 'warm') {
    for my $i (0 .. $#row) {
        my ($title, $key, $alg, $name, $reason) = @{ $row[$i] };
        my $kid = $key->{kid} =~ /^[a-z][a-z0-9-]{1,30}$/ ? $key->{kid}
                                                          : undef;
        my $token = token(alg => $alg, kid => $kid,
                          $name ? (key => $name) : (),
                          claims => { iss => "https://idp$i.example.com" });

        is $nginx->get('/', $token)->{headers}{'x-reason'}, $reason,
            "$title: $reason, $pass";
    }
}

$nginx->stop;


# Sets.

for my $title (sort keys %set) {
    my ($ok, $text) = judged($set{$title});

    ok !$ok, "$title: the set is refused";
    like $text, qr/\[emerg\].*jwks_file.*set\.json/,
        "$title: by a sentence with directive and file";
}

for my $title (sort keys %whole) {
    my ($ok, $text) = judged($whole{$title});
    ok $ok, "$title: the set is taken" or diag $text;
}

for (['is missing', 'nowhere.json'], ['is a directory', '.']) {
    my ($what, $name) = @$_;
    my ($ok, $text) = nginx_t(http => issuer($name));

    ok !$ok, "a key file that $what fails nginx -t";
    like $text, qr/\[emerg\].*jwks_file.*\Q$name/, 'and is named';
}

my ($ok, $text) = judged(private('rsa1'));
unlike $text, qr/\Q@{[ substr jwk('rsa1')->{n}, 0, 20 ]}/,
    'a private key is not written down';


# Read again at a reload, and only then.

my $file = write_file('turn.json', jwks(jwk('rsa1')));
$nginx = start_nginx(http => issuer($file), server => <<'END');
add_header X-Reason $proxy_user_reason always;
location / { proxy_user on; try_files /index.html =404; }
END

sub reason { $nginx->get('/', $_[0])->{headers}{'x-reason'} }

is reason(token()), 'ok', 'the first key is known';
write_file('turn.json', jwks(jwk('rsa2')));
is reason(token(key => 'rsa2')), 'token_key_unknown',
    'a changed file is nothing before a reload';
ok $nginx->reload, 'reload';
is reason(token(key => 'rsa2')), 'ok', 'the new key is known';
is reason(token()), 'token_key_unknown',
    'the old one is gone, though its token was cached';

write_file('turn.json', private('rsa1'));
$nginx->mark;
$nginx->{expect} = qr/\[emerg\].*jwks_file/;
$nginx->signal('HUP');
ok $nginx->wait_log(qr/\[emerg\].*jwks_file/),
    'a reload with a bad set fails';
is reason(token(key => 'rsa2')), 'ok', 'and the old set goes on';
