# Encrypted tokens: a JWE with a JWS in it. What opens, what does not, that no
# text whatever ends a worker, and that claims nobody can read in the token
# are known all the same.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Encrypt;
use Test::More;

my %key = (a128 => 'k' x 16, a256 => 'K' x 32, long => 'l' x 64);

# One issuer a kind of key, all in one nginx, each in a location of its own.
my %file = (
    rsa => encryption_jwk('rsa', kid => 'enc-1'),
    ec => encryption_jwk('ec'),
    p384 => encryption_pem('secp384r1'),
    map({ $_ => encryption_jwk(\$key{$_}) } keys %key),
);

sub issuer {
    my ($name, @line) = @_;

    return join "\n", "proxy_user_issuer $name {",
        "issuer https://$name.example.com;", 'audience api;',
        'jwks_file $TEST_NGINX_KEYS/jwks.json;', @line, "}\n";
}

my $http = 'large_client_header_buffers 4 64k;' . issuer('plain') . join '', map {
    issuer($_, "decryption_key_file " . write_file("$_.key", $file{$_}) . ';')
} sort keys %file;

my $show = join '', map { "add_header $_;" }
    'X-Reason $proxy_user_reason always',
    'X-Subject $proxy_user_subject always',
    'X-Cache $proxy_user_token_cache always',
    'X-Tenant $proxy_user_claim_tenant always',
    'X-List $proxy_user_claim_list always';

sub location {
    my ($name, $accept) = @_;

    return "location /$name { proxy_user on; proxy_user_accept $accept;"
        . ' proxy_pass $TEST_NGINX_BACKEND; }';
}

my $server = $show . join("\n", map { location($_, $_) } sort keys %file)
    . location('plain', 'plain') . location('two', 'plain rsa')
    . 'location /first { proxy_user on; proxy_user_accept plain;'
    . ' error_page 401 = /two; proxy_pass $TEST_NGINX_BACKEND; }'
    . 'location /then { proxy_user on; proxy_user_accept rsa;'
    . ' proxy_user_role admin; error_page 403 = /plain;'
    . ' proxy_pass $TEST_NGINX_BACKEND; }'
    . 'location /signed { proxy_user on; proxy_user_accept rsa;'
    . ' proxy_user_assertion key=' . ProxyUser::Token::DATA . '/ec256.pem;'
    . ' add_header X-Assertion $proxy_user_assertion;'
    . ' proxy_pass $TEST_NGINX_BACKEND; }';

my $nginx = start_nginx(http => $http, server => $server, workers => 2);
my @pid = sort $nginx->all_workers(2);

# A token of the issuer, signed and not yet encrypted.
sub of {
    my ($name, %opt) = @_;

    return token(%opt, claims => {
        iss => "https://$name.example.com", tenant => 'blue',
        list => [1, { a => 2 }], %{ $opt{claims} || {} } });
}

sub ok_case { ["$_[0]", "GET /$_[1]", $_[2], 200, 'ok', @_[3 .. $#_]] }

sub no_case {
    my ($title, $token, $reason, $uri) = @_;
    return [$title, $uri // 'GET /rsa', $token, 401,
            $reason // 'token_decryption'];
}


# Every algorithm, with every content.

my @enc = qw(A128GCM A256GCM A128CBC-HS256 A256CBC-HS512);
my %wrap = (rsa => 'RSA-OAEP', ec => 'ECDH-ES', a128 => 'A128KW',
            a256 => 'A256KW', p384 => 'ECDH-ES');
my @case;

for my $name (sort keys %wrap) {
    for my $enc (@enc) {
        my $jwe = encrypt(of($name), alg => $wrap{$name}, enc => $enc,
            key => $key{$name}, to => $name eq 'p384' ? 'secp384r1' : 'ec',
            header => $name eq 'ec' ? { apu => 'QWxpY2U', apv => 'Qm9i' }
                                    : {});
        push @case, ok_case("$wrap{$name} $enc for $name", $name, $jwe,
                            'X-Subject: alice', 'X-Tenant: blue',
                            'X-List: [1,{"a":2}]');
    }
}

my %direct = (a128 => ['A128GCM'], a256 => ['A256GCM', 'A128CBC-HS256'],
              long => ['A256CBC-HS512']);

for my $name (sort keys %direct) {
    push @case, ok_case("dir $_", $name, encrypt(of($name), alg => 'dir',
        enc => $_, key => $key{$name}), 'X-Tenant: blue')
        for @{ $direct{$name} };
}

check_cases($nginx, 'cold', @case);
check_cases($nginx, 'cached', map { [@$_, 'X-Cache: hit'] } @case);


# What is asked for and what is sent.

my $rsa = encrypt(of('rsa'));

my @form = (
    ok_case('as it is', 'rsa', $rsa),
    ok_case('a plain token of the issuer', 'rsa', of('rsa')),
    ok_case('the kid of the key', 'rsa',
            encrypt(of('rsa'), header => { kid => 'enc-1' })),
    ok_case('no cty', 'rsa', encrypt(of('rsa'), header => { cty => undef })),
    ok_case('beside an issuer without such a key', 'two', $rsa),
    no_case('another kid', encrypt(of('rsa'), header => { kid => 'x' }),
            'token_key_unknown'),
    no_case('where nobody has a key', encrypt(of('rsa')), 'token_malformed', 'GET /plain'),
    no_case('J1: for another key', encrypt(of('rsa')), 'token_algorithm', 'GET /ec'),
    no_case('for another key of the kind',
            encrypt(of('a128'), alg => 'A128KW', key => 'x' x 16),
            'token_decryption', 'GET /a128'),
    no_case('J1: RSA1_5', encrypt(of('rsa'), alg => 'RSA1_5'),
            'token_algorithm'),
    no_case('J1: RSA-OAEP-256', encrypt(of('rsa'), alg => 'RSA-OAEP-256'),
            'token_algorithm'),
    no_case('J3: zip', encrypt(of('rsa'), header => { zip => 'DEF' }),
            'token_critical'),
    no_case('J3: crit', encrypt(of('rsa'), header => { crit => ['exp'] }),
            'token_critical'),
    no_case('H11: another content', encrypt(of('rsa'), header => { cty => 'xml' }),
            'token_type'),
    no_case('J2: enc left out', encrypt(of('rsa'), header => { enc => undef }),
            'token_algorithm'),
    no_case('a name twice', encrypt(of('rsa'), head =>
            '{"alg":"RSA-OAEP","alg":"RSA-OAEP","enc":"A256GCM"}'),
            'token_malformed'),
    no_case('C7: four parts', join('.', (split /\./, $rsa)[0 .. 3]),
            'token_malformed'),
    no_case('C7: six parts', "$rsa.AAAA", 'token_malformed'),
    no_case('J4: no encrypted key', raw_part($rsa, 1, ''), 'token_malformed'),
    no_case('J4: one where there must be none', raw_part(encrypt(of('a256'),
            alg => 'dir', key => $key{a256}), 1, 'AAAA'), 'token_malformed',
            'GET /a256'),
);

for my $n (0 .. 4) {
    push @form, no_case("J8: a bit of part $n", part($rsa, $n, sub {
        my ($s) = @_;
        substr($s, -1) ^= "\1";
        return $s;
    }), $n ? 'token_decryption' : 'token_malformed');
}

for my $n (2 .. 4) {
    push @form,
        no_case("J5: part $n a byte longer", part($rsa, $n, sub { "$_[0]x" })),
        no_case("J5: part $n a byte shorter", part($rsa, $n, sub {
            substr $_[0], 0, -1 }));
}

check_cases($nginx, 'form', @form);


# Opened is not verified: the way of a signed token begins there.

check_cases($nginx, 'inside',
    no_case('H11: no token', encrypt('hello'), 'token_malformed'),
    no_case('H11: claims alone', encrypt('{"sub":"alice"}'), 'token_malformed'),
    no_case('H11: another JWE', encrypt($rsa), 'token_malformed'),
    no_case('J9: nobody signed', encrypt(of('rsa', alg => 'none',
            signature => 'x')), 'token_algorithm'),
    no_case('J9: another signed', encrypt(of('rsa', sign => 'RS256',
            key => 'rsa2', kid => 'rsa1')), 'token_signature'),
    no_case('J9: expired', encrypt(of('rsa', claims => { exp => 5 })),
            'token_expired'),
    no_case('J9: of another issuer', encrypt(of('plain')), 'token_issuer',
            'GET /two'),
    no_case('J9: for another audience', encrypt(of('rsa', claims => {
            aud => 'x' })), 'token_audience'));


# More than the zone keeps of claims: good, and opened every time.

my $large = encrypt(of('rsa', claims => { pad => 'x' x 5000 }));
check_cases($nginx, $_, ok_case('large claims', 'rsa', $large,
    'X-Tenant: blue', 'X-Cache: miss')) for 'first', 'again';

# An internal redirect into a location that has the key.

check_cases($nginx, 'redirect', ['a key only there', 'GET /first',
    encrypt(of('rsa')), 200, 'ok', 'X-Tenant: blue']);


# One that has been opened stays so; whether it counts is another question.

check_cases($nginx, 'redirect', ['an issuer that does not count there',
    'GET /then', encrypt(of('rsa')), 403, 'issuer_not_accepted']);

# What is signed for the backend says whose client it is.

my ($claims) = $nginx->get('/signed', encrypt(of('rsa', claims => {
    client_id => 'web' })))->{headers}{'x-assertion'} =~ /\.(.*?)\./;
like unb64u($claims), qr/"client":"web"/, 'an assertion knows the client';


# Whatever comes, the workers stay.

my @bad = ('A===', 'A', '=', '====', 'AA==', 'AAA=', 'AB', '', '.', '..',
           '%00', 'A' x 3000, "\xff\xfe", '{}', '"', '-', '_', 'AAAAA');

my ($answers, $good) = (0, 0);

for my $jwe ($rsa, encrypt(of('ec'), alg => 'ECDH-ES')) {
    for my $n (0 .. 4) {
        for my $bad (@bad) {
            my $text = raw_part($jwe, $n, $bad);

            next if $text eq $jwe;
            for my $uri ('/rsa', '/ec', '/a128') {
                my $a = $nginx->get($uri, $text);
                $answers++;
                $good++ if $a && $a->{status} =~ /^40[01]$/;
            }
        }
    }
}

is $good, $answers, "$answers bad texts are refused";
is_deeply [sort $nginx->workers], \@pid, 'by the workers of the beginning';
check_cases($nginx, 'afterwards', ok_case('a good one', 'ec',
    encrypt(of('ec'), alg => 'ECDH-ES')));
ok !trouble($nginx->log), 'nothing alarming was logged';
ok index($nginx->log, substr $rsa, -40) == -1, 'nor any token';


# nginx -t.

sub refused {
    my ($title, $text, $says) = @_;

    my ($ok, $out) = nginx_t(http => issuer('x', 'decryption_key_file '
        . write_file('x.key', $text) . ';'));
    ok !$ok, $title;
    like $out, qr/"decryption_key_file".*x\.key.*$says/, 'and says why';
}

refused('a public key', encryption_jwk('ec') =~ s/"d":"[^"]*",//r, 'private');
refused('a key that is cut off', substr(encryption_pem('ec'), 0, 90),
        'no decryption key');
refused('a key whose halves do not belong together',
        encryption_jwk('ec', d => 'AQ'), 'does not open');
refused('a text that would end the process',
        '{"kty":"oct","k":"A==="}', 'canonical');
refused('a key for signing', encryption_jwk('ec', use => 'sig'), 'use');

my $two = join '', map { issuer($_, "decryption_key_file "
    . write_file("$_.key", $file{$_}) . ';') } qw(rsa ec);

my ($ok, $out) = nginx_t(http => $two,
    server => 'location /x { proxy_user on; }');
ok !$ok, 'a location that takes two issuers with a decryption key';
like $out, qr{location "/x" accepts more than one issuer}, 'is named';

($ok, $out) = nginx_t(http => $two, server => 'proxy_user on;'
    . ' location /x { proxy_user_accept rsa; }'
    . ' location /y { proxy_user_accept ec; }'
    . ' location /z { proxy_user off; }');
ok $ok, 'each in a location of its own is fine' or diag $out;

done_testing;
