# What a token must be before and after its signature: form, header, claims.
# Each case is refused by one check; the word says by which.

use lib 't/lib';
use ProxyUser qw(:blocks);
use Test::Nginx::Socket;

repeat_each(2);
plan tests => repeat_each() * 3 * 289;

our $http = 'large_client_header_buffers 4 64k;';

our $config = <<'END';
    location /t {
        proxy_user on;
        proxy_pass $TEST_NGINX_BACKEND;
    }
END

our $good = token();
our ($head, $body, $sig) = split /\./, $good;

# A title, one thing that is not as usual, a status and a reason.
sub bearer {
    my ($title, $token, $status, $reason) = @_;
    return [$title, 'GET /t', $token, $status // 401,
            $reason // 'token_malformed'];
}

sub authorization {
    my ($title, $value, $status, $reason) = @_;
    return [$title, 'GET /t', { Authorization => $value }, $status, $reason];
}

# Bytes of the header, signed all the same.
sub head {
    my ($title, $bytes, $status, $reason) = @_;
    return bearer($title, token(head => $bytes), $status, $reason);
}

# Bytes of the payload, signed all the same.
sub payload {
    my ($title, $bytes, $status, $reason) = @_;
    return bearer($title, token(payload => $bytes), $status // 401,
                  $reason // 'token_payload');
}

# More members for a header that is right, and for a payload that is right.
sub in_head { '{"alg":"RS256","kid":"rsa1",' . $_[0] . '}' }

sub in_payload {
    return '{"iss":"https://idp.example.com","aud":"api","sub":"alice",'
        . '"exp":4102444800,' . $_[0] . '}';
}

sub header {
    my ($title, $members, $status, $reason) = @_;
    return bearer($title, token(header => $members), $status, $reason);
}

sub claims {
    my ($title, $claims, $status, $reason) = @_;
    return bearer($title, token(claims => $claims), $status // 401,
                  $reason // 'token_claims');
}

sub nested { '[' x $_[0] . ']' x $_[0] }

sub members {
    my ($n) = @_;
    return join ',', map { "\"m$_\":$_" } 1 .. $n;
}

# A good token of exactly this many bytes.
sub sized {
    my ($size) = @_;

    my @pad = ('x' x 500) x (($size - 2500) / 671);
    my $try = sub {
        token(header => { pad => 'h' x $_[0] },
              claims => { pad => [@pad, 'y' x $_[1]] });
    };

    my $n = ($size - length $try->(0, 0)) * 3 / 4;
    for my $more (0 .. 2) {
        for my $last ($n - 4 .. $n + 2) {
            my $token = $try->($more, $last);
            return $token if length $token == $size;
        }
    }

    die "no token of $size bytes\n";
}

run_tests();

__DATA__

=== TEST 1: C1, C6: the Authorization header holds one Bearer token and nothing else
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $t = $::good;
[
    ['a good token', 'GET /t', $t, 200, 'ok'],
    ['no header', 'GET /t', undef, 401, 'no_credential'],
    ::authorization('bearer', "bearer $t", 200, 'ok'),
    ::authorization('BEARER', "BEARER $t", 200, 'ok'),
    ::authorization('no token', 'Bearer', 400, 'credential_malformed'),
    ::authorization('two words', "Bearer $t x", 400, 'credential_malformed'),
    ::authorization('two tokens', "Bearer $t $t", 400,
                    'credential_malformed'),
    ::authorization('two spaces', "Bearer  $t", 400, 'credential_malformed'),
    ::authorization('a list', "Bearer $t,$t", 400, 'credential_malformed'),
    ::authorization('two schemes', "Bearer $t, Basic eDp5", 400,
                    'credential_malformed'),
    ::authorization('a parameter', "Bearer token=$t", 401,
                    'token_malformed'),
    ::authorization('quotes', "Bearer \"$t\"", 401, 'token_malformed'),
    ::authorization('Basic', 'Basic YWxpY2U6c2VjcmV0', 401, 'no_credential'),
    ::authorization('Basic with a token', "Basic $t", 401, 'no_credential'),
    ::authorization('Digest', 'Digest username="alice"', 401,
                    'no_credential'),
    ::authorization('a token alone', $t, 401, 'no_credential'),
    ::authorization('Bearers', "Bearers $t", 401, 'no_credential'),
    ::authorization('Bearer:', "Bearer: $t", 401, 'no_credential'),
]



=== TEST 2: C7, C8, C9: a token has three parts, none of them empty
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my ($h, $b, $s) = ($::head, $::body, $::sig);
[
    ::bearer('one part', $h),
    ::bearer('two parts', "$h.$b"),
    ::bearer('four parts', "$h.$b.$s.$s"),
    ::bearer('a dot behind', "$h.$b.$s."),
    ::bearer('a dot before', ".$h.$b.$s"),
    ::bearer('thousands of dots', '.' x 8000),
    ::bearer('only dots', '..'),
    ::bearer('no header', ".$b.$s"),
    ::bearer('no payload', "$h..$s"),
    ::bearer('no signature', "$h.$b."),
    ::bearer('a word', 'undefined'),
    ::bearer('JSON serialisation',
             "{\"payload\":\"$b\",\"protected\":\"$h\",\"signature\":\"$s\"}",
             400, 'credential_malformed'),
    ::bearer('JSON without commas', "{\"payload\":\"$b\"}"),
    ['the good one', 'GET /t', $::good, 200, 'ok'],
]



=== TEST 3: C8, C10: a part is canonical base64url, so one token has one spelling
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my ($h, $b, $s) = ($::head, $::body, $::sig);

# 256 bytes leave two characters, of which the last has four spare bits.
my ($last) = $s =~ /(.)$/;
(my $next = $last) =~ tr/AQgw/BRhx/;
my $stray = substr($s, 0, -1) . $next;

# A payload of 3n + 1 bytes, to have spare bits there.
my ($sh, $sb, $ss) = split /\./, main::token(payload =>
    ::in_payload('"p":"' . 'x' x ((1 - length ::in_payload('"p":""')) % 3)
                 . '"'));
substr($sb, -1, 1) =~ tr/AQgw/BRhx/;

# Crafted so that base64 and base64url differ: 0x3e and 0x3f in every part.
my ($uh, $ub, $us) = split /\./, main::token(
    header => { x => '???>>>~~~' }, claims => { x => '???>>>~~~' });
(my $plus = "$uh.$ub.$us") =~ tr/-_/+\//;

[
    ::bearer('padding behind the signature', "$h.$b.$s=="),
    ::bearer('padding behind the header', "$h=.$b.$s"),
    ::bearer('padding behind the payload', "$h.$b=.$s"),
    ::bearer('one character too many', "$h.$b.${s}AAA"),
    ::bearer('5 characters', "${h}AAAAA.$b.$s"),
    ::bearer('a stray bit in the signature', "$h.$b.$stray"),
    ::bearer('a stray bit in the payload', "$sh.$sb.$ss"),
    ::bearer('the other alphabet', $plus),
    ['its own alphabet', 'GET /t', "$uh.$ub.$us", 200, 'ok'],
    ::bearer('a byte above 0x7f', "$h.$b\xc3\xa9.$s"),
    ::bearer('A===', 'A===.A===.A==='),
    ::bearer('a percent sign', "$h.$b.%41$s"),
    ::bearer('a tilde', "$h.$b.~$s"),
    ::bearer('a tab', "$h.$b.\t$s"),
]



=== TEST 4: C7: 16 KiB is the most, and one byte more is too large
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
[
    ['16384 bytes', 'GET /t', ::sized(16384), 200, 'ok'],
    ::bearer('16385 bytes', ::sized(16385), 401, 'token_too_large'),
    ::bearer('32 KiB', ::sized(32768), 401, 'token_too_large'),
    ::bearer('20000 dots', '.' x 20000, 401, 'token_too_large'),
    ::bearer('20000 letters', 'a' x 20000, 401, 'token_too_large'),
]



=== TEST 5: H1: the header is one JSON object in UTF-8, within its limits
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $in = \&::in_head;
my $sized = sub { '"x":"' . 'x' x ($_[0] - length $in->('"x":""')) . '"' };
[
    ::head('nothing unusual', $in->('"x":1'), 200, 'ok'),
    ::head('no JSON', 'RS256'),
    ::head('an array', '["alg","RS256"]'),
    ::head('a string', '"RS256"'),
    ::head('null', 'null'),
    ::head('a number', '1'),
    ::head('a byte order mark', "\xef\xbb\xbf" . $in->('"x":1')),
    ::head('bytes behind', $in->('"x":1') . 'x'),
    ::head('a NUL behind', $in->('"x":1') . "\0"),
    ::head('two objects', $in->('"x":1') . $in->('"x":1')),
    ::head('cut', substr $in->('"x":1'), 0, -1),
    ::head('a trailing comma', $in->('"x":1,')),
    ::head('single quotes', "{'alg':'RS256','kid':'rsa1'}"),
    ::head('a comment', $in->('/* x */ "x":1')),
    ::head('NaN', $in->('"x":NaN')),
    ::head('no UTF-8', $in->("\"x\":\"\xff\"")),
    ::head('UTF-8 too long', $in->("\"x\":\"\xc0\xaf\"")),
    ::head('a surrogate in UTF-8', $in->("\"x\":\"\xed\xa0\x80\"")),
    ::head('a lone surrogate', $in->('"x":"\ud800"')),
    ::head('alg twice', $in->('"alg":"RS256"')),
    ::head('alg twice, once none', '{"alg":"none","alg":"RS256"}'),
    ::head('alg twice, once escaped', $in->('"\u0061lg":"none"')),
    ::head('kid twice', $in->('"kid":"rsa2"')),
    ::head('twice, deeper', $in->('"x":{"a":1,"a":2}')),
    ::head('a NUL in a name', $in->('"x\u0000":1')),
    ::head('8 levels', $in->('"x":' . ::nested(7)), 200, 'ok'),
    ::head('9 levels', $in->('"x":' . ::nested(8))),
    ::head('601 levels', '{"x":' . ::nested(600) . '}'),
    ::head('32 members', $in->(::members(30)), 200, 'ok'),
    ::head('33 members', $in->(::members(31))),
    ::head('2048 bytes', $in->($sized->(2048)), 200, 'ok'),
    ::head('2049 bytes', $in->($sized->(2049))),
]



=== TEST 6: H2, H3: alg is a name of the issuer's list, byte for byte
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $alg = sub {
    ::bearer("alg $_[0]", main::token(header => { alg => $_[1] // $_[0] },
                                      sign => 'RS256'),
             401, 'token_algorithm');
};
[
    (map { $alg->($_) } qw(none None NONE nOnE rs256 Rs256 RS255 RS2560 HS256
                           HS384 HS512 ES256K RS1 A256GCM RSA-OAEP dir x)),
    $alg->('empty', ''),
    $alg->('with a space', 'RS256 '),
    $alg->('with a NUL', "RS256\0"),
    $alg->('a number', 256),
    $alg->('null', main::null()),
    $alg->('true', JSON::PP::true()),
    $alg->('an array', ['RS256']),
    $alg->('an object', { alg => 'RS256' }),
    ::bearer('no alg', main::token(header => { alg => undef }), 401,
             'token_algorithm'),
    ::bearer('none without a signature',
             main::token(alg => 'none', key => 'rsa1', signature => '')),
    ::bearer('none with a signature of nobody',
             main::token(alg => 'none', key => 'rsa1', signature => 'x'),
             401, 'token_algorithm'),
    ['RS256', 'GET /t', $::good, 200, 'ok'],
]



=== TEST 7: H4, H5, H6, H7, H10: what asks for an extension is refused, what only names keys is not
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $evil = main::jwk('rsa2');
[
    ::header('H4: crit', { crit => ['exp'], exp => 1 }, 401, 'token_critical'),
    ::header('H4: crit of a stranger', { crit => ['x'], x => 1 }, 401,
             'token_critical'),
    ::header('H4: crit empty', { crit => [] }, 401, 'token_critical'),
    ::header('H4: crit no array', { crit => 'exp' }, 401, 'token_critical'),
    ::header('H4: crit null', { crit => main::null() }, 401,
             'token_critical'),
    ::header('H5: crit and b64', { crit => ['b64'], b64 => JSON::PP::false() },
             401, 'token_critical'),
    ::header('H5: b64 false', { b64 => JSON::PP::false() }, 401,
             'token_critical'),
    ::header('H5: b64 true', { b64 => JSON::PP::true() }, 401, 'token_critical'),
    ::header('H6: zip', { zip => 'DEF' }, 401, 'token_critical'),
    ::header('H10: enc', { enc => 'A256GCM' }, 401, 'token_critical'),
    ::header('H7: jku', { jku => 'https://evil.example.com/jwks' }, 200, 'ok'),
    ::header('H7: x5u', { x5u => 'https://evil.example.com/x' }, 200, 'ok'),
    ::header('H7: x5c', { x5c => ['MIIB'] }, 200, 'ok'),
    ::header('H7: x5t', { x5t => 'abc' }, 200, 'ok'),
    ::header('H7: jwk', { jwk => $evil }, 200, 'ok'),
    ::bearer('H7: signed by its own jwk',
             main::token(key => 'rsa2', kid => 'rsa1',
                         header => { jwk => $evil }),
             401, 'token_signature'),
    ::bearer('H7: signed by its own jwk, no kid',
             main::token(key => 'rsa1024', kid => undef,
                         header => { jwk => main::jwk('rsa1024') }),
             401, 'token_signature'),
    ::bearer('H7: signed by its own jwk under a new kid',
             main::token(key => 'rsa1024', kid => 'evil',
                         header => { jwk => main::jwk('rsa1024',
                                                      kid => 'evil') }),
             401, 'token_key_unknown'),
]



=== TEST 8: H8: kid only compares
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $kid = sub {
    my ($title, $kid, $reason) = @_;
    ::bearer("kid $title", main::token(header => { kid => $kid }), 401,
             $reason // 'token_key_unknown');
};
[
    ::header('no kid', { kid => undef }, 200, 'ok'),
    $kid->('of nobody', 'nobody'),
    $kid->('empty', ''),
    $kid->('in capitals', 'RSA1'),
    $kid->('with more', 'rsa1 '),
    $kid->('with a prefix only', 'rsa'),
    $kid->('of another type of key', 'ec256'),
    $kid->('of another key of that type', 'rsa2', 'token_signature'),
    $kid->('a path', '../../../../../etc/passwd'),
    $kid->('a query', "rsa1' OR '1'='1"),
    $kid->('of 256 bytes', 'k' x 256),
    $kid->('of 257 bytes', 'k' x 257, 'token_malformed'),
    $kid->('a number', 1, 'token_malformed'),
    $kid->('null', main::null(), 'token_malformed'),
    $kid->('an array', ['rsa1'], 'token_malformed'),
    $kid->('with a NUL', "rsa1\0x", 'token_malformed'),
    $kid->('with a line end', "rsa1\n2000/01/01 [alert]",
           'token_malformed'),
]



=== TEST 9: H9, L9: typ says access token, or nothing
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $typ = sub {
    ::bearer("typ $_[0]", main::token(header => { typ => $_[1] // $_[0] }),
             401, 'token_type');
};
[
    ::header('no typ', { typ => undef }, 200, 'ok'),
    ::header('JWT', { typ => 'JWT' }, 200, 'ok'),
    ::header('at+jwt', { typ => 'at+jwt' }, 200, 'ok'),
    ::header('AT+JWT', { typ => 'AT+JWT' }, 200, 'ok'),
    ::header('application/at+jwt', { typ => 'application/at+jwt' }, 200,
             'ok'),
    (map { $typ->($_) } qw(dpop+jwt logout+jwt secevent+jwt JOSE+JSON JWS ID
                           at+jwtx application/json)),
    $typ->('with a space', 'JWT '),
    $typ->('null', main::null()),
    $typ->('a number', 7),
    $typ->('empty', ''),
    ::claims('an ID token by at_hash', { at_hash => 'x' }, 401,
             'token_type'),
    ::claims('an ID token by c_hash', { c_hash => 'x' }, 401, 'token_type'),
]



=== TEST 10: L1: the payload is one JSON object in UTF-8, within its limits
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $in = \&::in_payload;
my $ok = $in->('"x":1');
[
    ::payload('nothing unusual', $ok, 200, 'ok'),
    ::payload('no JSON', 'alice'),
    ::payload('an array', "[$ok]"),
    ::payload('a string', '"alice"'),
    ::payload('null', 'null'),
    ::payload('a byte order mark', "\xef\xbb\xbf$ok"),
    ::payload('bytes behind', "${ok}x"),
    ::payload('a NUL behind', "$ok\0"),
    ::payload('two objects', "$ok$ok"),
    ::payload('cut', substr $ok, 0, -1),
    ::payload('NaN', $in->('"x":NaN')),
    ::payload('1e400', $in->('"x":1e400')),
    ::payload('no UTF-8', $in->("\"x\":\"\xff\xfe\"")),
    ::payload('UTF-8 cut', $in->("\"x\":\"\xe2\x82\"")),
    ::payload('a lone surrogate', $in->('"x":"\udc00"')),
    ::payload('sub twice', $in->('"sub":"bob"')),
    ::payload('sub twice, once escaped', $in->('"s\u0075b":"bob"')),
    ::payload('roles twice', $in->('"roles":"a","roles":"admin"')),
    ::payload('twice, deeper', $in->('"x":[{"y":{"a":1,"a":1}}]')),
    ::payload('a NUL in a name', $in->('"roles\u0000":"admin"')),
    ::payload('a NUL in a name, deeper', $in->('"x":{"\u0000":1}')),
    ::payload('16 levels', $in->('"x":' . ::nested(15)), 200, 'ok'),
    ::payload('17 levels', $in->('"x":' . ::nested(16))),
    ::payload('4000 levels', $in->('"x":' . ::nested(4000))),
    ::payload('a NUL in a claim nobody uses', $in->('"x":"a\u0000b"'), 200,
              'ok'),
]



=== TEST 11: L2, L3: iss and aud are ours, compared byte for byte
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $iss = sub {
    ::claims("iss $_[0]", { iss => $_[1] // $_[0] }, 401, 'token_issuer');
};
my $aud = sub {
    ::claims("aud $_[0]", { aud => $_[1] // $_[0] }, 401, 'token_audience');
};
[
    ::claims('no iss', { iss => undef }, 401, 'token_issuer'),
    (map { $iss->($_) } qw(https://idp.example.com/ http://idp.example.com
        https://IDP.example.com https://idp.example.com:443 idp.example.com
        https://idp.example.co https://evil.example.com)),
    $iss->('a number', 1),
    $iss->('an array', ['https://idp.example.com']),
    $iss->('with a NUL', "https://idp.example.com\0"),
    ::claims('no aud', { aud => undef }, 401, 'token_audience'),
    (map { $aud->($_) } qw(ap apis API other), 'api other'),
    $aud->('with a space', 'api '),
    $aud->('empty', ''),
    $aud->('an empty array', []),
    $aud->('an array without us', ['other', 'apis']),
    $aud->('in an array in an array', [['api']]),
    $aud->('an object', { api => 1 }),
    $aud->('a number', 1),
    ::claims('aud in an array', { aud => ['other', 'api'] }, 200, 'ok'),
]



=== TEST 12: L4, L5, L6: exp is required, and all times are finite numbers
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
my $soon = time + 86400;
[
    ::claims('no exp', { exp => undef }),
    ::claims('exp a string', { exp => '4102444800' }),
    ::claims('exp true', { exp => JSON::PP::true() }),
    ::claims('exp null', { exp => main::null() }),
    ::claims('exp an array', { exp => [4102444800] }),
    (map { ::payload("exp $_", '{"iss":"https://idp.example.com",'
                     . "\"aud\":\"api\",\"sub\":\"alice\",\"exp\":$_}", 401,
                     'token_claims') }
        '1e300', '9007199254740994', '-1e300'),
    ::payload('exp that is no number of 64 bits',
              ::in_payload('"x":99999999999999999999')),
    ::claims('exp a day ago', { exp => time - 86400 }, 401, 'token_expired'),
    ::claims('exp 0', { exp => 0 }, 401, 'token_expired'),
    ::claims('exp negative', { exp => -1 }, 401, 'token_expired'),
    ::payload('exp with a fraction', '{"iss":"https://idp.example.com",'
              . '"aud":"api","sub":"alice","exp":4102444800.5}', 200, 'ok'),
    ::payload('exp with an exponent', '{"iss":"https://idp.example.com",'
              . '"aud":"api","sub":"alice","exp":4.1e9}', 200, 'ok'),
    ::claims('nbf past', { nbf => 1 }, 200, 'ok'),
    ::claims('nbf tomorrow', { nbf => $soon }, 401, 'token_not_yet_valid'),
    ::claims('nbf a string', { nbf => '1' }),
    ::claims('nbf null', { nbf => main::null() }),
    ::payload('nbf 1e300', ::in_payload('"nbf":1e300'), 401, 'token_claims'),
    ::claims('iat tomorrow', { iat => $soon }, 401, 'token_not_yet_valid'),
    ::claims('iat a string', { iat => '1' }),
    ::claims('iat true', { iat => JSON::PP::true() }),
    ::claims('no iat', { iat => undef }, 200, 'ok'),
]



=== TEST 13: L8: the subject is a string of 1 to 255 bytes without controls
--- http_config eval: $::http
--- config eval: $::config
--- cases eval
[
    ::claims('no sub', { sub => undef }),
    ::claims('empty', { sub => '' }),
    ::claims('a number', { sub => 7 }),
    ::claims('null', { sub => main::null() }),
    ::claims('an array', { sub => ['alice'] }),
    ::claims('255 bytes', { sub => 'a' x 255 }, 200, 'ok'),
    ::claims('256 bytes', { sub => 'a' x 256 }),
    ::claims('255 bytes, not all ASCII', { sub => "\xe9" x 127 . 'a' }, 200,
             'ok'),
    ::claims('256 bytes in 128 characters', { sub => "\xe9" x 128 }),
    ::claims('a NUL', { sub => "alice\0bob" }),
    ::claims('a line end', { sub => "alice\r\nX-Admin: yes" }),
    ::claims('a DEL', { sub => "alice\x7f" }),
    ::claims('spaces and quotes', { sub => ' "al ice" ' }, 200, 'ok'),
]



=== TEST 14: L4, L5, L6: leeway is 30 s unless said, and holds for exp, nbf and iat
--- http_config
proxy_user_issuer usual {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
proxy_user_issuer wide {
    issuer https://wide.example.com;
    audience api;
    leeway 300s;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
proxy_user_issuer none {
    issuer https://none.example.com;
    audience api;
    leeway 0;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
--- config eval: $::config
--- cases eval
my $at = sub {
    my ($iss, $title, $claims, $status, $reason) = @_;
    ::claims("$iss, $title", { %$claims, iss => "https://$iss.example.com" },
             $status, $reason);
};
my ($expired, $early) = ([401, 'token_expired'], [401, 'token_not_yet_valid']);
[
    $at->('wide', 'exp 100 s ago', { exp => time - 100 }, 200, 'ok'),
    $at->('wide', 'nbf in 250 s', { nbf => time + 250 }, 200, 'ok'),
    $at->('wide', 'iat in 250 s', { iat => time + 250 }, 200, 'ok'),
    $at->('wide', 'exp 400 s ago', { exp => time - 400 }, @$expired),
    $at->('wide', 'nbf in 1000 s', { nbf => time + 1000 }, @$early),
    $at->('wide', 'iat in 1000 s', { iat => time + 1000 }, @$early),
    $at->('idp', 'exp 40 s ago', { exp => time - 40 }, @$expired),
    $at->('idp', 'exp now', { exp => time + 0 }, 200, 'ok'),
    $at->('idp', 'nbf in 200 s', { nbf => time + 200 }, @$early),
    $at->('idp', 'iat in 200 s', { iat => time + 200 }, @$early),
    $at->('none', 'exp 2 s ago', { exp => time - 2 }, @$expired),
    $at->('none', 'iat in 200 s', { iat => time + 200 }, @$early),
    $at->('none', 'exp in 10 minutes', { exp => time + 600 }, 200, 'ok'),
]



=== TEST 15: L3, L10: claim, audience_claim, audience off and subject do what they say
--- http_config
proxy_user_issuer cognito {
    issuer https://cognito.example.com;
    audience app1 app2;
    audience_claim client_id;
    claim token_use access;
    claim level 3 4;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
proxy_user_issuer open {
    issuer https://open.example.com;
    audience off;
    subject user id;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
--- config eval: $::config
--- cases eval
my $cognito = sub {
    my ($title, $claims, @answer) = @_;
    ::claims($title, { iss => 'https://cognito.example.com', aud => undef,
                       client_id => 'app2', token_use => 'access',
                       level => 3, %$claims }, @answer);
};
my $open = sub {
    my ($title, $claims, @answer) = @_;
    ::claims($title, { iss => 'https://open.example.com', aud => undef,
                       user => { id => 'u1' }, %$claims }, @answer);
};
[
    $cognito->('all there', {}, 200, 'ok'),
    $cognito->('a member of an array', { token_use => ['id', 'access'] },
               200, 'ok'),
    $cognito->('the other number', { level => 4 }, 200, 'ok'),
    $cognito->('the number as a string', { level => '3' }, 200, 'ok'),
    $cognito->('another client', { client_id => 'app3' }, 401,
               'token_audience'),
    $cognito->('aud does not stand in', { client_id => undef,
                                          aud => 'app1' }, 401,
               'token_audience'),
    $cognito->('an ID token', { token_use => 'id' }),
    $cognito->('the claim is missing', { token_use => undef }),
    $cognito->('the second claim is missing', { level => undef }),
    $cognito->('a longer word', { token_use => 'accessory' }),
    $cognito->('a longer number', { level => 33 }),
    $cognito->('a number as it is not written', { level => 3.5 }),
    $cognito->('true', { token_use => JSON::PP::true() }),
    $open->('any audience', {}, 200, 'ok'),
    $open->('an audience of somebody', { aud => 'x' }, 200, 'ok'),
    $open->('no subject where it should be', { user => {} }),
    $open->('no object where it should be', { user => 'u1' }),
    $open->('a name with a dot is no path', { user => undef,
                                              'user.id' => 'u1' }),
]



=== TEST 16: L2: iss picks the issuer, and each issuer only knows its own keys
--- http_config eval
main::write_file('a.json', main::jwks(main::jwk('rsa1', kid => 'k')));
main::write_file('b.json', main::jwks(main::jwk('rsa2', kid => 'k')));
'proxy_user_issuer a {
    issuer https://a.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/a.json;
}
proxy_user_issuer b {
    issuer https://b.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/b.json;
}'
--- config eval: $::config
--- cases eval
my $from = sub {
    my ($title, $key, $iss, @answer) = @_;
    ::bearer($title, main::token(key => $key, kid => 'k', claims =>
                                 { iss => "https://$iss.example.com" }),
             @answer);
};
[
    $from->('a by its key', 'rsa1', 'a', 200, 'ok'),
    $from->('b by its key', 'rsa2', 'b', 200, 'ok'),
    $from->('a by the key of b', 'rsa2', 'a', 401, 'token_signature'),
    $from->('b by the key of a', 'rsa1', 'b', 401, 'token_signature'),
    $from->('c, unknown', 'rsa1', 'c', 401, 'token_issuer'),
    ::bearer('no iss at all', main::token(kid => 'k', claims =>
             { iss => undef }), 401, 'token_issuer'),
]
