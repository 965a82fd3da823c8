# Issuers that share a secret: secret_file and the HS algorithms. Then the two
# settings of an issuer that say which of its tokens count: token_type and
# max_age.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

my $secret = secret_key();
my $jwks = '$TEST_NGINX_KEYS/jwks.json';

sub issuer {
    my ($name, @line) = @_;

    return join "\n", "proxy_user_issuer $name {",
        "issuer https://$name.example.com;", 'audience api;', @line, "}\n";
}

sub hmac_issuer {
    my ($name, $text, @line) = @_;

    my $file = write_file("$name.secret", $text);
    return issuer($name, "secret_file $file;", @line);
}

my $server = <<'END';
add_header X-Reason $proxy_user_reason always;
location / { proxy_user on; proxy_pass $TEST_NGINX_BACKEND; }
END

# A token of the issuer "name".
sub of {
    my ($name, %opt) = @_;

    my %claim = (iss => "https://$name.example.com",
                 %{ $opt{claims} || {} });
    return token(alg => 'HS256', kid => undef, %opt, claims => \%claim);
}

sub ok_case { [$_[0], 'GET /', $_[1], 200, 'ok'] }

sub no_case {
    [$_[0], 'GET /', $_[1], 401, $_[2] // 'token_signature'];
}


# The algorithms, each alone and all of them.

my $nginx = start_nginx(server => $server, http => join '',
    hmac_issuer('all', $secret, 'algorithms HS256 HS384 HS512;'),
    hmac_issuer('h256', substr($secret, 0, 32), 'algorithms HS256;'),
    hmac_issuer('h384', substr($secret, 0, 48), 'algorithms HS384;'),
    hmac_issuer('h512', $secret, 'algorithms HS512;'),
    hmac_issuer('line', "$secret\n", 'algorithms HS256;'),
    hmac_issuer('crlf', "$secret\r\n", 'algorithms HS256;'),
    hmac_issuer('lines', "$secret\n\n", 'algorithms HS256;'),
    hmac_issuer('zero', "\0" x 32, 'algorithms HS256;'),
    issuer('public', "jwks_file $jwks;"));

my %part = (h256 => 32, h384 => 48, h512 => 64);
my @case = map { ok_case($_, of('all', alg => $_)) } qw(HS256 HS384 HS512);

for my $alg (qw(256 384 512)) {
    for my $name (sort keys %part) {
        my $token = of($name, alg => "HS$alg",
                       secret => substr $secret, 0, $part{$name});
        push @case, $name eq "h$alg" ? ok_case("HS$alg for $name", $token)
            : no_case("HS$alg for $name", $token, 'token_algorithm');
    }
}

# What a line end is.

push @case, ok_case('a line end is no part of the secret', of('line')),
    ok_case('nor is CR LF', of('crlf')),
    no_case('a secret with the line end', of('line', secret => "$secret\n")),
    ok_case('of two the first is', of('lines', secret => "$secret\n")),
    no_case('and not missing', of('lines')),
    ok_case('a secret is bytes', of('zero', secret => "\0" x 32));

# One secret has no name to be asked for.

push @case, ok_case('any kid', of('all', kid => 'some-key')),
    ok_case('a kid that looks like a path', of('all', kid => '../jwks.json'));

# Signatures.

my $good = of('all');
my @short = map { no_case("S1: a signature of $_ bytes",
    tamper($good, 2, sub { substr $_[0], 0, $_ })) } 1, 16, 31;

push @case, @short,
    no_case('S1: a signature and a zero byte', tamper($good, 2, sub {
        "$_[0]\0" })),
    no_case('S4: another secret', of('all', secret => 'x' x 64)),
    no_case('the secret of another issuer', of('h256')),
    no_case('the secret with a zero byte', of('h256',
        secret => substr($secret, 0, 31) . "\0")),
    no_case('HS512 under the name HS256', of('all', sign => 'HS512')),
    no_case('HS256 under the name HS512', of('all', alg => 'HS512',
                                             sign => 'HS256')),
    no_case('32 zero bytes', tamper($good, 2, sub { "\0" x 32 })),
    no_case('no signature', $good =~ s/[^.]*\z//r, 'token_malformed');

for my $n (0, 15, 31) {
    push @case, no_case("S4: byte $n of the signature", tamper($good, 2, sub {
        my ($s) = @_;
        substr($s, $n, 1) ^= "\x80";
        return $s;
    }));
}

# Neither kind of key is ever taken for the other.

push @case,
    no_case('RS256 for an issuer with a secret', of('all', alg => 'RS256'),
            'token_algorithm'),
    no_case('none', tamper($good, 0, sub { '{"alg":"none"}' }),
            'token_algorithm'),
    no_case('RS256 in the header, an HMAC below',
            of('public', alg => 'RS256', sign => 'HS256', kid => 'rsa1')),
    ok_case('RS256 for an issuer with keys',
            of('public', alg => 'RS256', kid => 'rsa1'));

my %public = (
    'the PEM' => Crypt::PK::RSA->new(\pem('rsa1'))
        ->export_key_pem('public_x509'),
    'the modulus' => unb64u(jwk('rsa1')->{n}),
    'the key set' => ProxyUser::Nginx::read_file(
        "$ENV{TEST_NGINX_KEYS}/jwks.json"),
    'the secret of another issuer' => $secret,
);

for my $title (sort keys %public) {
    push @case, no_case("HS256 with $title for an issuer with keys",
        of('public', kid => 'rsa1', secret => $public{$title}),
        'token_algorithm');
}

check_cases($nginx, $_, @case) for 'cold', 'warm';
unlike $nginx->log, qr/\Q@{[ substr $secret, 0, 16 ]}/, 'no log has it';


# A reload reads the file again; a cached token does not outlive its secret.

is $nginx->get('/', $good)->{status}, 200, 'a token is in the cache';
write_file('all.secret', scalar reverse $secret);
is $nginx->get('/', $good)->{status}, 200, 'the file is not read meanwhile';
ok $nginx->reload, 'reload';
is $nginx->get('/', $good)->{headers}{'x-reason'}, 'token_signature',
    'with another secret it is refused';
is $nginx->get('/', of('all', secret => scalar reverse $secret))->{status},
    200, 'one under the new secret is taken';
is $nginx->get('/', of('h512', alg => 'HS512'))->{status}, 200, 'others go on';
$nginx->stop;


# What nginx -t says.

sub refuses {
    my ($title, $text, @pattern) = @_;

    my ($ok, $said) = nginx_t(http => $text);
    my ($line) = $said =~ /^(.*\[emerg\].*)$/m;

    ok !$ok, "$title: refused";
    like $line // $said, $_, "$title: $_" for @pattern;
    unlike $said, qr/hunter2|\Q@{[ substr $secret, 0, 16 ]}/,
        "$title: no secret in the sentence";
}

my $short = 'hunter2' . 'x' x 24;

refuses('K9: too short for all', hmac_issuer('a', $short, 'algorithms HS256;'),
        qr/"secret_file".*a\.secret.*31 bytes.*32 to 2048/);
refuses('K9: empty', hmac_issuer('a', '', 'algorithms HS256;'),
        qr/"secret_file".*0 bytes/);
refuses('K9: a line end alone', hmac_issuer('a', "\n", 'algorithms HS256;'),
        qr/"secret_file".*0 bytes/);
refuses('K9: the line end does not count', hmac_issuer('a', "$short\n",
        'algorithms HS256;'), qr/31 bytes/);
refuses('too long', hmac_issuer('a', 'x' x 2049, 'algorithms HS256;'),
        qr/"secret_file".*2049 bytes/);
refuses('much too long', hmac_issuer('a', 'x' x 70000, 'algorithms HS256;'),
        qr/"secret_file".*a\.secret.*too large/);
refuses("K9: too short for $_->[0]",
        hmac_issuer('a', 'x' x $_->[1], "algorithms HS256 $_->[0];"),
        qr/"algorithms" has the value "$_->[0]".*"secret_file"/,
        qr/needs @{[ $_->[1] + 1 ]} bytes/)
    for ['HS384', 47], ['HS512', 63];
refuses('K9: a public key', hmac_issuer('a', $public{'the PEM'},
        'algorithms HS256;'), qr/"secret_file".*PEM/);
refuses('no file', issuer('a', 'secret_file nowhere;', 'algorithms HS256;'),
        qr/"secret_file".*nowhere.*No such file/);
refuses('a directory', issuer('a', 'secret_file .;', 'algorithms HS256;'),
        qr/"secret_file".*directory/i);
refuses('no algorithms', hmac_issuer('a', $secret),
        qr/proxy_user_issuer a.*"secret_file".*"algorithms".*HS256/);
refuses("$_ with a secret", hmac_issuer('a', $secret, "algorithms $_;"),
        qr/"algorithms" has the value "RS256".*"secret_file".*HS256/)
    for 'RS256', 'HS256 RS256', 'RS256 HS256';
refuses("$_ with keys", issuer('a', "jwks_file $jwks;", "algorithms $_;"),
        qr/"algorithms" has the value "HS\d+".*"secret_file".*RS256/)
    for 'HS256', 'HS512', 'RS256 HS384';
refuses('both', hmac_issuer('a', $secret, "jwks_file $jwks;",
        'algorithms HS256;'), qr/"jwks_file".*"secret_file"/);
refuses('both the other way', issuer('a', "jwks_file $jwks;",
        'secret_file x;'), qr/"secret_file".*"jwks_file"/);
refuses('twice', hmac_issuer('a', $secret, 'secret_file x;'),
        qr/"secret_file" directive is duplicate/);
refuses("values: $_", issuer('a', "secret_file $_;"),
        qr/"secret_file" has \d values/) for '', 'a b';

my ($ok, $said) = nginx_t(http => hmac_issuer('a', $secret,
                          'algorithms HS256 HS384 HS512;'));
ok $ok, 'a good one is taken';
unlike $said, qr/\[(?:warn|error|emerg)\]/, 'and nothing is said';


# token_type: which typ is an access token here.

sub typed {
    my ($name, $typ, %claim) = @_;
    return of($name, alg => 'RS256', kid => 'rsa1',
              header => { typ => $typ }, claims => \%claim);
}

$nginx = start_nginx(server => $server, http => join '', map {
        issuer($_->[0], "jwks_file $jwks;", "token_type $_->[1];")
    } ['at', 'at+jwt'], ['app', 'application/at+jwt'], ['own', 'acme+jwt JWT'],
      ['absent', 'absent'], ['id', 'ID'], ['both', 'ID at+jwt absent']);

sub typ_ok {
    my ($name, $typ, %claim) = @_;
    return ok_case("$name, typ " . ($typ // 'absent'),
                   typed($name, $typ, %claim));
}

sub typ_no {
    my ($name, $typ, %claim) = @_;
    return no_case("H9: $name, typ " . ($typ // 'absent'),
                   typed($name, $typ, %claim), 'token_type');
}

@case = (
    (map { typ_ok('at', $_), typ_ok('app', $_) }
        'at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/AT+JWT'),
    (map { typ_no('at', $_), typ_no('app', $_) }
        undef, 'JWT', 'acme+jwt', 'at+jwt ', 'dpop+jwt', ''),
    (map { typ_ok('own', $_) } 'acme+jwt', 'JWT', 'jwt'),
    (map { typ_no('own', $_) } undef, 'at+jwt', 'acme'),
    typ_ok('absent', undef), typ_no('absent', 'JWT'),
    typ_no('absent', undef, at_hash => 'x'),
    typ_ok('id', 'JWT', at_hash => 'x'), typ_ok('id', undef, c_hash => 'x'),
    typ_ok('id', 'JWT'), typ_no('id', 'logout+jwt'),
    typ_no('id', 'JWT', events => {}),
    typ_ok('both', 'at+jwt'), typ_ok('both', undef, at_hash => 'x'),
    typ_no('both', 'JWT', at_hash => 'x'),
);

check_cases($nginx, $_, @case) for 'cold', 'warm';
$nginx->stop;

refuses("H9: token_type $_", issuer('a', "jwks_file $jwks;",
        "token_type JWT $_;"), qr/"token_type" has the value "\Q$_\E"/)
    for qw(dpop+jwt logout+jwt secevent+jwt JOSE+JSON application/dpop+jwt);
refuses('token_type without a value', issuer('a', 'token_type;'),
        qr/"token_type" has 0 values/);


# max_age: how long ago a token may have been issued, whatever its exp says.

my $now = time;

sub aged {
    my ($name, $age) = @_;
    return of($name, alg => 'RS256', kid => 'rsa1', claims => {
        iat => defined $age ? $now - $age : undef, exp => $now + 36000 });
}

sub max_age {
    my ($age) = @_;
    return issuer('hour', "jwks_file $jwks;", 'leeway 10s;',
                  "max_age $age;")
        . issuer('off', "jwks_file $jwks;", 'max_age off;');
}

$nginx = start_nginx(server => $server, http => max_age('1h'));

@case = (
    ok_case('an age of 0', aged('hour', 0)),
    ok_case('of 59 minutes', aged('hour', 3540)),
    ok_case('of 1 hour, within the leeway', aged('hour', 3602)),
    no_case('L6: of 62 minutes', aged('hour', 3720), 'token_too_old'),
    no_case('L6: of a year', aged('hour', 365 * 86400), 'token_too_old'),
    no_case('L6: no iat', aged('hour', undef), 'token_claims'),
    no_case('L6: an iat that is text', of('hour', alg => 'RS256', kid => 'rsa1',
            claims => { iat => "$now" }), 'token_claims'),
    ok_case('of a year, no max_age', aged('off', 365 * 86400)),
    ok_case('no iat, no max_age', aged('off', undef)),
);

check_cases($nginx, $_, @case) for 'cold', 'warm';

# It is asked at every use: a token in the cache grows too old as well.

$nginx->configure(server => $server, http => max_age('1s'));
ok $nginx->reload, 'another max_age';
is $nginx->get('/', aged('hour', 3540))->{headers}{'x-reason'},
    'token_too_old', 'counts for a token that was cached before';

refuses("max_age $_", issuer('a', "jwks_file $jwks;", "max_age $_;"),
        qr/"max_age" has the value "\Q$_\E".*1s.*"off"/)
    for qw(0 -1s soon 0s on);

$nginx->stop;
done_testing;
