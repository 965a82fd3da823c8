# proxy-user token check: what nginx would say of a token, without nginx and
# without Redis. Published examples, every way to be refused, and a stream of
# tokens with a partner who waits for each answer.

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Temp ();
use IPC::Open2 qw(open2);
use IPC::Open3 qw(open3);
use JSON::PP ();
use POSIX ();
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command qw(command_path slurp);
use ProxyUser::Token;

plan skip_all => 'no ' . command_path() . ': run make'
    unless -x command_path();

# Nobody is there: whoever asked Redis would fail.
$ENV{PROXY_USER_REDIS} = 'redis://127.0.0.1:1';

my $tmp = File::Temp->newdir('proxy-user-check-XXXXXX', TMPDIR => 1);
my $json = JSON::PP->new->utf8->canonical;
my $n = 0;

sub file {
    my ($text) = @_;
    my $name = "$tmp/" . ++$n;

    open my $out, '>:raw', $name or die "$name: $!\n";
    print $out $text;
    close $out;
    return $name;
}

# Exit code, stdout, stderr of "token check" with this on standard input.
sub check {
    my ($input, @args) = @_;
    my ($in, $out, $err) = (file($input), "$tmp/out", "$tmp/err");

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN, '<', $in;
        open STDOUT, '>', $out;
        open STDERR, '>', $err;
        { exec command_path(), 'token', 'check', @args }
        POSIX::_exit(127);
    }
    local $SIG{ALRM} = sub { kill KILL => $pid };
    alarm 60;
    waitpid $pid, 0;
    alarm 0;
    return ($? & 127 ? "signal $?" : $? >> 8, slurp($out), slurp($err));
}

my @jwks = ('--jwks', file(jwks(map { jwk($_) }
                                qw(rsa1 ec256 ec384 ec521 ed25519))));
my $secret = file(secret_key());
my $good = token(alg => 'ES256');

sub says {
    my ($title, $expected, @args) = @_;
    my ($code, $out, $err) = check('', @args);

    is(($out =~ /^(\S*)/)[0], $expected, $title);
    is($code, $expected eq 'valid' ? 0 : 1, "$title: exit");
    is($err, '', "$title: nothing on stderr");
    return $out;
}

sub usage {
    my ($title, $pattern, @args) = @_;
    my ($code, $out, $err) = check('', @args);

    is($code, 2, "$title: exit 2");
    is($out, '', "$title: nothing on stdout");
    like($err, qr/\Aproxy-user: [^\n]+\n\z/, "$title: one sentence");
    like($err, $pattern, "$title: which says what");
}


subtest 'published examples' => sub {
    my $vectors = $json->decode(slurp('t/data/vectors.json'));

    for my $v (@$vectors) {
        my @key = $v->{secret}
            ? ('--secret', file(unb64u($v->{secret})))
            : ('--jwks', file($json->encode($v->{keys})));
        my $expected = $v->{signature} eq 'ok' ? 'valid' : $v->{signature};
        my $out = says($v->{source}, $expected, @key, '--signature-only',
                       '--', $v->{token});
        is($out, "$expected\n", "$v->{source}: the payload is not shown");

        next if $expected ne 'valid';
        says("$v->{source}, last byte changed", 'token_signature', @key,
             '--signature-only', '--', tamper($v->{token}, 2,
                 sub { substr($_[0], -1) ^= "\1"; $_[0] }));
        says("$v->{source}, payload changed", 'token_signature', @key,
             '--signature-only', '--', tamper($v->{token}, 1,
                 sub { "$_[0]." }));
    }

    # As access tokens they lack a subject, and were good until 2011.
    my ($a2) = grep { $_->{source} eq 'RFC 7515 A.2' } @$vectors;
    my @key = ('--jwks', file($json->encode($a2->{keys})));
    says('A.2 now', 'token_expired', @key, $a2->{token});
    says('A.2 then', 'token_claims', @key, '--at', 1300819380,
         $a2->{token});
    says('A.2 and its issuer', 'token_claims', @key, '--issuer', 'joe',
         '--at=1300819380', $a2->{token});
    says('A.2 and another', 'token_issuer', @key, '--issuer', 'jim', '--at',
         1300819380, $a2->{token});
};


subtest 'a good token' => sub {
    my $t = token(alg => 'ES256', claims => {
        roles => ['a', 'b'], note => "x\ny\x{9b}\x{202e}", n => 1.5 });
    my $out = says('for people', 'valid', @jwks, $t);

    like($out, qr/^valid\naud +api\n/, 'valid, then claims');
    like($out, qr/^sub +alice$/m, 'a string without its quotes');
    like($out, qr/^exp +4102444800, 2100-01-01T00:00:00Z$/m, 'a date');
    like($out, qr/^roles +\["a","b"\]$/m, 'anything else as JSON');
    like($out, qr/^note +x\\x0ay\\u009b\\u202e$/m, 'nothing that steers');

    my ($code, $text, $err) = check('', '--json', @jwks, $t);
    is($code, 0, 'in JSON');
    my $value = $json->decode($text);
    is($value->{valid}, JSON::PP::true, 'valid');
    is($value->{claims}{sub}, 'alice', 'claims');
    is($value->{claims}{note}, "x\ny\x{9b}\x{202e}", 'as they are');
    like($text, qr/"n":1\.5[,}]/, 'a number as it was written');

    ($code, $text) = check('', '--json', @jwks, "$t.");
    is($code, 1, 'refused in JSON');
    is_deeply($json->decode($text), { valid => JSON::PP::false,
              reason => 'token_malformed' }, 'and why');

    for my $alg (qw(RS256 RS512 PS256 PS384 ES256 ES384 ES512 EdDSA)) {
        says($alg, 'valid', @jwks, token(alg => $alg));
    }
    for my $alg (qw(HS256 HS384 HS512)) {
        says($alg, 'valid', '--secret', $secret, token(alg => $alg));
    }
    says('no kid', 'valid', @jwks, token(alg => 'ES256', kid => undef));
    says('a token that begins with -', 'token_malformed', @jwks, '--',
         "-$good");
};


subtest 'PEM' => sub {
    my $key = Crypt::PK::ECC->new(\pem('ec256'));
    my @pem = ('--pem', file($key->export_key_pem('public')));

    says('the key', 'valid', @pem, $good);
    says('whatever the kid', 'valid', @pem, token(alg => 'ES256',
                                                  kid => 'other'));
    says('another key', 'token_signature', @pem,
         token(alg => 'ES256', key => 'ec256b'));
    says('another type', 'token_key_unknown', @pem, token());
    says('as a secret', 'token_algorithm', @pem, token(alg => 'HS256',
         secret => $key->export_key_pem('public')));
    usage('a private key', qr/--pem: file.*private/, '--pem',
          file(pem('ec256')), $good);
    usage('no PEM', qr/--pem: file.*no PEM/, '--pem', file('x'), $good);
    usage('no file', qr/--pem: file.*nowhere/, '--pem', '/nowhere', $good);
};


subtest 'what is asked for' => sub {
    my @token = (@jwks, '--');

    says('its issuer', 'valid', '--issuer', issuer_url(), @token, $good);
    says('another issuer', 'token_issuer', '--issuer', issuer_url() . '/',
         @token, $good);
    says('its audience', 'valid', '--audience', 'api', @token, $good);
    says('another audience', 'token_audience', '--audience', 'ap', @token,
         $good);
    says('one of two', 'valid', '--audience=x', '--audience=api', @token,
         $good);
    says('the other of two', 'valid', '--audience=api', '--audience=x',
         @token, $good);
    says('an audience called off', 'token_audience', '--audience=off',
         @token, $good);
    says('its algorithm', 'valid', '--algorithm=ES256', @token, $good);
    says('another algorithm', 'token_algorithm', '--algorithm=RS256', @token,
         $good);
    says('one of two algorithms', 'valid', '--algorithm=RS256',
         '--algorithm=ES256', @token, $good);
    says('a secret and another algorithm', 'token_algorithm', '--secret',
         $secret, '--algorithm=HS512', token(alg => 'HS256'));

    my $short = token(alg => 'ES256', claims => { nbf => 1700000000,
                                                  exp => 1700000600 });
    says('now', 'token_expired', @token, $short);
    says('then', 'valid', '--at', 1700000300, @token, $short);
    says('within the leeway', 'valid', '--at', 1700000629, @token, $short);
    says('after', 'token_expired', '--at', 1700000630, @token, $short);
    says('before', 'token_not_yet_valid', '--at', 1699999969, @token, $short);
    says('before, within the leeway', 'valid', '--at', 1699999970, @token,
         $short);
    says('signature only', 'valid', '--signature-only', @token, $short);
};


subtest 'every reason' => sub {
    my %es = (alg => 'ES256');

    says(@$_[0, 1], @jwks, '--', $_->[2]) for (
        ['nothing', 'token_malformed', ''],
        ['two parts', 'token_malformed', 'a.b'],
        ['four parts', 'token_malformed', "$good.x"],
        ['space', 'token_malformed', "$good "],
        ['padding', 'token_malformed', "$good="],
        ['a bearer', 'token_malformed', "Bearer $good"],
        ['16 KiB and one', 'token_too_large', 'a' x 16385],
        ['16 KiB', 'token_malformed', 'a' x 16384],
        ['type', 'token_type', token(%es, header => { typ => 'dpop+jwt' })],
        ['none', 'token_algorithm',
         tamper($good, 0, sub { '{"alg":"none"}' })],
        ['HS256', 'token_algorithm', token(alg => 'HS256')],
        ['crit', 'token_critical', token(%es, header => { crit => ['x'] })],
        ['kid', 'token_key_unknown', token(%es, kid => 'nobody')],
        ['key', 'token_signature', token(%es, key => 'ec256b',
                                         kid => 'ec256')],
        ['payload', 'token_payload', token(%es, payload => '[]')],
        ['claims', 'token_claims', token(%es, claims => { sub => undef })],
        ['expired', 'token_expired', token(%es, claims => { exp => 1 })],
        ['early', 'token_not_yet_valid',
         token(%es, claims => { nbf => 4102444799 })],
        ['bound', 'token_binding',
         token(%es, claims => { cnf => { jkt => 'x' } })],
    );

    says('an ID token', 'token_type', @jwks,
         token(%es, claims => { at_hash => 'x' }));
    says('signature only and no JSON', 'valid', @jwks, '--signature-only',
         token(%es, payload => "\0"));
    says('signature only and a wrong type', 'token_type', @jwks,
         '--signature-only', token(%es, header => { typ => 'logout+jwt' }));
};


subtest 'a stream' => sub {
    my $bad = tamper($good, 1, sub { $_[0] =~ s/alice/alicf/r });
    my $long = 'x' x 20000;
    my $line = 'valid {"aud":"api","exp":4102444800,"iat":1700000000,'
        . '"iss":"https://idp.example.com","sub":"alice"}';
    my @all = ([$good, $line], [$bad, 'token_signature'],
               ['', 'token_malformed'], [$long, 'token_too_large'],
               ["$good\r", $line], [" $good", 'token_malformed'],
               ['a' x 16384, 'token_malformed'],
               ['a' x 16385, 'token_too_large'],
               ['a' x 16384 . "\r", 'token_malformed'],
               ["a\0b", 'token_malformed'], ['x' x 300000, 'token_too_large'],
               [$good, $line]);

    for my $end ("\n", '') {
        my $input = join("\n", map { $_->[0] } @all) . $end;
        my $what = $end ? 'a last line end' : 'no last line end';

        for my $dash (['-'], [], ['--', '-']) {
            my ($code, $out, $err) = check($input, @jwks, @$dash);
            is($out, join('', map { "$_->[1]\n" } @all),
               "$what, @$dash: one line each, in order");
            is($code, 1, 'exit 1 when one was refused');
            is($err, '', 'nothing on stderr');
        }
    }

    my ($code, $out) = check("$good\n$good\n", @jwks, '-');
    is($out, "$line\n$line\n", 'all good');
    is($code, 0, 'exit 0');

    ($code, $out) = check("$long\n", @jwks, '-');
    is("$code $out", "1 token_too_large\n", 'one that is too long');

    ($code, $out) = check("$good\n$bad\n", '--json', @jwks, '-');
    my @answer = map { $json->decode($_) } split /\n/, $out;
    is($answer[0]{claims}{sub}, 'alice', 'JSON, one document a line');
    is($answer[1]{reason}, 'token_signature', 'and the next');

    ($code, $out) = check("$good\n$bad\n", '--signature-only', @jwks, '-');
    is($out, "valid\ntoken_signature\n", 'signature only');

    ($code, $out, my $err) = check('', @jwks, '-');
    is($code, 1, 'no token is not a valid token');
    is($out, '', 'nothing is said of it');
    like($err, qr/\Aproxy-user: there was no token.*\n\z/, 'but why');

    open my $dir, '<', '/' or die;
    my $pid = open3('<&' . fileno $dir, my $said, undef, command_path(),
                    'token', 'check', @jwks, '-');
    like(do { local $/; <$said> }, qr/standard input cannot be read/,
         'a directory');
    waitpid $pid, 0;
    is($? >> 8, 1, 'exit 1');
};


subtest 'who waits for an answer gets it' => sub {
    my $pid = open2(my $from, my $to, command_path(), 'token', 'check',
                    @jwks, '-');
    local $SIG{ALRM} = sub { kill KILL => $pid };
    alarm 30;

    for my $part ([$good, 'valid'], ['x', 'token_malformed'],
                  ['y' x 200000, 'token_too_large'], [$good, 'valid']) {
        syswrite $to, "$part->[0]\n";
        like(scalar <$from>, qr/^$part->[1]/, "$part->[1]: at once");
    }

    # The first of two is answered though the second is not all there.
    syswrite $to, "$good\n" . substr $good, 0, 20;
    like(scalar <$from>, qr/^valid/, 'a line and a half');
    syswrite $to, substr($good, 20) . "\n";
    like(scalar <$from>, qr/^valid/, 'the other half');

    close $to;
    is(scalar <$from>, undef, 'and the end');
    waitpid $pid, 0;
    alarm 0;
    is($? >> 8, 1, 'exit 1, one was refused');

    # Whoever stops reading ends it, quietly.
    my $input = file("$good\n" x 20000);
    my $head = `{ @{[ command_path() ]} token check @jwks - < $input
                  echo \$? > $tmp/code; } 2> $tmp/err | head -n 1`;
    like($head, qr/^valid/, 'head');
    is(slurp("$tmp/err"), '', 'no word about a closed pipe');
};


subtest 'memory does not grow with a line' => sub {
    plan skip_all => 'the sanitizer needs more than any limit'
        if ($ENV{PROXY_USER_COMMAND} // '') =~ /sanitize/;

    my $pid = open2(my $from, my $to, 'sh', '-c',
                    'ulimit -v 200000; exec "$@"', 'sh', command_path(),
                    'token', 'check', @jwks, '-');
    my $block = 'x' x 1048576;

    syswrite $to, $block for 1 .. 300;
    syswrite $to, "\n$good\n";
    close $to;
    like(scalar <$from>, qr/^token_too_large/, '300 MB without a line end');
    like(scalar <$from>, qr/^valid/, 'and the next line');
    waitpid $pid, 0;
};


subtest 'wrong usage' => sub {
    my $k = $jwks[1];

    usage(@$_) for (
        ['no key', qr/one of --jwks FILE, --pem FILE and --secret FILE/,
         $good],
        ['two keys', qr/exactly one of/, @jwks, '--secret', $secret, $good],
        ['no such file', qr/--jwks: file "\/nowhere"/, '--jwks', '/nowhere',
         $good],
        ['no key set', qr/--jwks: file.*"keys"/, '--jwks', file('{}'), $good],
        ['private keys', qr/--jwks: file.*private/, '--jwks',
         file(jwks(jwk('rsa1', d => 'AQAB'))), $good],
        ['short secret', qr/--secret: file.*31 bytes.*32 to 2048/,
         '--secret', file('x' x 31 . "\n"), $good],
        ['PEM secret', qr/--secret: file.*PEM/, '--secret',
         file(pem('rsa1')), $good],
        ['short for HS512', qr/"HS512".*64 bytes/, '--secret',
         file('x' x 63), '--algorithm', 'HS512', $good],
        ['HS256 and keys', qr/"HS256"/, @jwks, '--algorithm', 'HS256', $good],
        ['RS256 and a secret', qr/"RS256"/, '--secret', $secret,
         '--algorithm', 'RS256', $good],
        (map { [$_, qr/"$_" is no algorithm: allowed are RS256/, @jwks,
                '--algorithm', $_, $good] } 'none', 'es256', 'HS1'),
        (map { ["at $_", qr/"\Q$_\E" is no time for --at/, @jwks, "--at=$_",
                $good] } 'now', '-1', '1.5', '9' x 20),
        ['two tokens', qr/one word too many/, @jwks, $good, $good],
        ['an option of others', qr/--role does not go with "token check"/,
         @jwks, '--role', 'x', $good],
        ['a flag with a value', qr/--signature-only takes no value/, @jwks,
         '--signature-only=1', $good],
        ['no value', qr/--audience needs a value/, @jwks, $good,
         '--audience'],
        ['too many', qr/too often/, @jwks, ('--audience', 'x') x 65, $good],
    );

    my ($code, $out, $err) = check('', '--jwks', file(jwks(jwk('ec256'),
        jwk('rsa1', kid => 'weak', e => 'Aw'))), $good);
    is($code, 0, 'a key that is left out is no error');
    like($err, qr/--jwks: key 2 with kid "weak" is left out: /,
         'but is told');

    ($code, $out, $err) = check('', '--secret', file('hunter2'), $good);
    unlike($out . $err, qr/hunter2/, 'a secret is not repeated');
};


subtest 'help' => sub {
    for my $args (['token', '--help'], ['token', 'check', '--help']) {
        my $out = `@{[ command_path() ]} @$args`;
        is($?, 0, "@$args");
        like($out, qr/^usage: proxy-user .*token/, 'usage');
        is((grep { length > 80 } split /\n/, $out), 0, 'fits 80 columns');
    }
    like(`@{[ command_path() ]} token check --help`,
         qr/--jwks FILE.*--at UNIXTIME/s, 'its options');
    unlike(`@{[ command_path() ]} token check --help`, qr/FILE\S/,
           'each value apart from what is said of it');
    unlike(`@{[ command_path() ]} token check --help`, qr/--redis/,
           'and not those of Redis');
    like(`@{[ command_path() ]} --help`, qr/^  token check \[TOKEN \| -\]/m,
         'in the list');
};


# 5,000 ES256 tokens a second are promised: of the time the command itself
# used, so that neighbours do not count.
subtest 'fast enough for a file of tokens' => sub {
    plan skip_all => 'not under a sanitizer'
        if ($ENV{PROXY_USER_COMMAND} // '') =~ /sanitize/;

    my @token = map { token(alg => 'ES256', claims => { jti => "j$_" }) }
        1 .. 100;
    my @before = times;
    my ($code, $out) = check(join('', map { "$_\n" } (@token) x 100), @jwks,
                             '-');
    my @after = times;
    my $used = $after[2] + $after[3] - $before[2] - $before[3];

    is($code, 0, '10,000 tokens are valid');
    is(($out =~ tr/\n//), 10000, 'each is answered');
    cmp_ok($used, '<', 2, "in less than 2 s of CPU ($used)");
    note(sprintf '%.0f ES256 tokens a second of CPU', 10000 / $used);
};

done_testing;
