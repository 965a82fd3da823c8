# API keys: made by the command, taken by nginx, narrowed by their caps, gone
# when they are revoked, and never in a log.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;

my @ISSUER = ('--issuer', issuer_url());

my $redis = redis_start();

my $nginx = store_nginx(http => <<'END', server => <<'END', workers => 2);
proxy_user_zone 2m;
proxy_user_audit $TEST_NGINX_TMP/audit.log;
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-Ip;
proxy_user_issuer other {
    issuer https://other.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
}
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map admin admin;
}
END
proxy_user_credential bearer api_key=X-API-Key;
add_header X-Handle "$proxy_user_handle" always;
add_header X-Credential "$proxy_user_credential" always;
add_header X-Issuer "$proxy_user_issuer" always;
add_header X-Subject "$proxy_user_subject" always;
add_header X-Claim "$proxy_user_claim_sub" always;
location = /other {
    proxy_user_accept other;
    try_files /index.html =404;
}
location = /idp {
    proxy_user_accept idp;
    try_files /index.html =404;
}
location = /bearer {
    proxy_user_credential bearer;
    try_files /index.html =404;
}
location = /read {
    proxy_user_scope read;
    try_files /index.html =404;
}
location = /again {
    proxy_user_credential api_key=X-API-Key;
    rewrite ^ /nothing break;
    try_files /nothing /admin;
}
location = /moved {
    proxy_user_credential api_key=X-API-Key;
    rewrite ^ /nothing break;
    try_files /nothing /bearer;
}
END

my (@keys, $made);


# What the command prints, or its end.
sub command {
    my ($code, $text) = proxy_user(@_);

    chomp $text;
    die "@_: $text\n" if $code;
    return $text;
}


# A user without a token, and a key of his.
sub a_key {
    my ($user, @key) = @_;

    my $name = 'user-' . ++$made;
    command(qw(user create --user-name), $name, @$user);
    my $key = command(qw(key create), "name:$name", @key);
    push @keys, $key;
    return wantarray ? ($key, $name) : $key;
}


sub with {
    my ($key, $uri, @more) = @_;

    return answer_of($nginx->ask('GET', $uri // '/', headers => [
        [ 'X-API-Key' => $key ], @more ]));
}

sub says { my $r = with(@_); return "$r->{status} $r->{reason}" }

sub id_of { substr $_[0], 4, 10 }

# The text as it was, its check made to fit again.
sub checked { $_[0] . substr sha256_hex($_[0]), 0, 6 }


subtest 'a key stands for its user' => sub {
    my ($key, $name) = a_key([qw(--role reader --type service)]);

    like($key, qr/\Apuk_[a-z0-9]{10}_[A-Za-z0-9_-]{43}[0-9a-f]{6}\z/,
         'its form');
    is($key, checked(substr $key, 0, 58), 'its check');

    my $r = with($key);
    is("$r->{status} $r->{reason}", '200 ok', 'let in');
    is($r->{name}, $name, 'name');
    is($r->{type}, 'service', 'type');
    is($r->{roles}, 'reader', 'roles');
    is($r->{headers}{'x-handle'}, id_of($key), 'its public id is the handle');
    is($r->{headers}{'x-credential'}, 'api_key', 'credential');
    is($r->{headers}{'x-issuer'} // '', '', 'no issuer');
    is($r->{headers}{'x-claim'} // '', '', 'no claims');
    is($r->{token_cache}, '', 'no token');

    ok(defined within(5, sub { with($key)->{cache} eq 'hit' }), 'cached');
    is_deeply([changed(sub { with($key) for 1 .. 5 })], [],
              'then it costs no look-up') or diag($nginx->log);
};


subtest 'Redis knows the digest, not the key' => sub {
    my $key = a_key([]);
    my $all = join "\n", map { ref $_ eq 'HASH' ? (%$_) : ref $_ ? @$_ : $_ }
        %{ everything() };

    unlike($all, qr/\Q@{[substr $key, 15, 43]}/, 'no secret');
    my $digest = b64u(Digest::SHA::sha256($key));
    is(redis('GET', '{pu}:keyid:' . id_of($key)), $digest, 'the digest');
    is(redis('HGET', "{pu}:handle:key:$digest", 'id'), id_of($key), 'the id');
};


subtest 'junk costs no look-up' => sub {
    my $key = a_key([]);
    my $mangled = $key =~ s/(.)\z/$1 eq '0' ? '1' : '0'/er;

    cached($nginx, token());

    my @busy = changed(sub {
        is(says($_->[1]), '401 key_unknown', $_->[0]) for (
            ['empty', ''], ['a word', 'hunter2'], ['a token', token()],
            ['a wrong check', $mangled], ['too short', substr $key, 0, 63],
            ['too long', $key . 'a'], ['another start', 'PUK' . substr $key, 3],
            ['no base64url', checked(substr($key, 0, 57) . '!')],
            ['a capital in the id', checked('puk_ABCDEFGHIJ_'
                                            . substr($key, 15, 43))],
        );
    });

    is_deeply(\@busy, [], 'Redis has heard of none');

    is(says(checked(substr($key, 0, 20) . 'AAAA' . substr($key, 24, 34))),
       '401 key_unknown', 'a key of the form that nobody has');
    my $r = with($mangled);
    like($r->{headers}{'www-authenticate'}, qr/error="invalid_token"/,
         'a challenge');
};


subtest 'a key is taken where it is named' => sub {
    my $key = a_key([]);

    is(says($key, '/bearer'), '401 no_credential', 'not where it is not');
    is(verdict($nginx, $key), '401 token_malformed', 'not as bearer');
    is(says($key, '/', [Authorization => 'Bearer ' . token()]),
       '400 credential_ambiguous', 'not beside a token');
    is(says($key, '/', ['X-API-Key' => $key]), '400 credential_ambiguous',
       'not twice');
    is(says($key, '/bearer', [Authorization => 'Bearer ' . token()]),
       '200 ok', 'where it is not named it is nothing');
};


subtest 'caps narrow and never add' => sub {
    my @user = qw(--role reader --role admin --scope read);

    my %is = map { $_->[0] => with(scalar(a_key(\@user, @$_[1 .. $#$_]))) } (
        ['none'], ['role', qw(--role reader)],
        ['roles', qw(--role admin --role reader --role owner)],
        ['foreign', qw(--role owner)], ['scope', qw(--scope write)],
        ['scopes', qw(--scope write --scope read)]);

    is($is{none}{roles}, 'admin reader', 'no cap: all of the user');
    is($is{none}{scopes}, 'read', 'and the scopes of the user');
    is($is{role}{roles}, 'reader', 'one role');
    is($is{roles}{roles}, 'admin reader', 'a role that the user lacks');
    is($is{foreign}{roles}, '', 'only such');
    is($is{scope}{scopes}, '', 'a scope that the user lacks');
    is($is{scopes}{scopes}, 'read', 'one that both have');

    is(says(scalar(a_key(\@user)), '/admin'), '200 ok', 'admin');
    is(says(scalar(a_key(\@user, qw(--role reader))), '/admin'),
       '403 role_missing', 'not with a key for readers');
    is(says(scalar(a_key(\@user)), '/read'), '200 ok', 'read');
    is(says(scalar(a_key(\@user, qw(--scope write))), '/read'),
       '403 scope_missing', 'not with a key for writing');
    is(says(scalar(a_key([], qw(--scope read))), '/read'), '200 ok',
       'a user without a cap on scopes');
    is(says(scalar(a_key([])), '/read'), '403 scope_missing',
       'nobody is given a scope');

    my ($key, $name) = a_key(\@user);
    my $digest = redis('GET', '{pu}:keyid:' . id_of($key));
    redis('HSET', "{pu}:handle:key:$digest", roles => '', scopes => '');
    my $r = with($key);
    is("$r->{roles}|$r->{scopes}", '|', 'a present empty cap allows nothing');
};


subtest 'networks' => sub {
    my $key = a_key([], qw(--network 10.0.0.0/8 --network 2001:db8::/32));

    for (['10.1.2.3', '200 ok'], ['11.0.0.1', '403 network_not_permitted'],
         ['2001:db8::1', '200 ok'], ['::ffff:10.1.2.3', '200 ok'],
         ['2001:db9::1', '403 network_not_permitted']) {
        is(says($key, '/', ['X-Real-Ip' => $_->[0]]), $_->[1], $_->[0]);
    }

    is(says($key), '403 network_not_permitted', 'the true address');
};


subtest 'accepted issuers' => sub {
    my ($alone) = a_key([]);
    my ($key, $name) = a_key([@ISSUER, '--subject', 'subject-1']);

    is(says($key, '/idp'), '200 ok', 'as of its user\'s issuer');
    is(says($key, '/other'), '403 issuer_not_accepted', 'of another');
    is(says($alone, '/idp'), '403 issuer_not_accepted', 'of none');
    is(says($alone), '200 ok', 'where all are accepted');

    my $r = with($key);
    is($r->{headers}{'x-issuer'}, 'idp', 'the issuer\'s name');
    is($r->{headers}{'x-subject'}, 'subject-1', 'and subject');
};


subtest 'a redirect is decided anew' => sub {
    my $key = a_key([qw(--role reader)]);
    my $admin = a_key([qw(--role admin)]);

    is(says($key, '/again'), '403 role_missing', 'for the new location');
    is(says($admin, '/again'), '200 ok', 'which lets an admin in');
    is(says($admin, '/moved'), '401 no_credential',
       'and may take no keys at all');
};


subtest 'the state of the user counts' => sub {
    my ($key, $name) = a_key([]);
    my $other = command(qw(key create), "name:$name");

    is(says($key), '200 ok', 'let in');
    command(qw(user revoke), "name:$name");
    ok(defined within(5, sub { redis('HGET', '{pu}:user:'
        . with($key)->{id}, 'epoch') > 0 }), 'tokens are revoked');
    is(says($key), '200 ok', 'keys are not: they have their own');

    command(qw(user suspend), "name:$name");
    ok(defined within(5, sub { says($key) eq '403 user_suspended' }),
       'suspended');
    command(qw(user resume), "name:$name");
    ok(defined within(5, sub { says($key) eq '200 ok' }), 'resumed');

    command(qw(key revoke), id_of($key));
    ok(defined within(5, sub { says($key) eq '401 key_revoked' }),
       'a revoked key');
    is(says($other), '200 ok', 'not the other one');

    command(qw(user delete), "name:$name");
    ok(defined within(5, sub { says($other) eq '401 key_unknown' }),
       'the keys of a deleted user are gone');
};


subtest 'a key ends to the second' => sub {
    my $key = a_key([], qw(--expires 2s));
    my $digest = redis('GET', '{pu}:keyid:' . id_of($key));
    my $end = redis('HGET', "{pu}:handle:key:$digest", 'expires');
    my ($before, $after) = (0, 0);

    is(says($key), '200 ok', 'good');
    my $entries = redis('XLEN', '{pu}:log');

    ok(defined within(20, sub {
        my $from = time;
        my $verdict = says($key);

        $before++ if $from > $end + 0.1 && $verdict eq '200 ok';
        $after++ if time + 0.1 < $end && $verdict eq '401 key_expired';
        return $verdict eq '401 key_expired';
    }), 'then key_expired');
    is($before, 0, 'not a second later');
    is($after, 0, 'nor earlier');
    is(redis('XLEN', '{pu}:log'), $entries, 'and nobody wrote anything');
};


subtest 'rotation' => sub {
    my ($key, $name) = a_key([qw(--role reader)], qw(--label x));

    is(says($key), '200 ok', 'the old one');
    my $new = command(qw(key rotate), id_of($key), qw(--overlap 1h));
    push @keys, $new;
    is(says($new), '200 ok', 'the successor');
    is(says($key), '200 ok', 'the old one in the overlap');

    push @keys, my $last = command(qw(key rotate), id_of($new),
                                   qw(--overlap 0s));
    ok(defined within(5, sub { says($new) eq '401 key_revoked' }),
       'no overlap');
    is(says($last), '200 ok', 'the last one');
};


subtest 'last use' => sub {
    my $key = a_key([]);
    my $used = '{pu}:used:' . id_of($key);

    ok(!redis('EXISTS', $used), 'not used');

    my $sets = calls('set');
    my %client = by_worker($nginx, 2);
    for my $c (map { @$_ } values %client) {
        for (1 .. 5) {
            $c->ask('GET', '/', headers => [['X-API-Key' => $key]]);
            is(answer_of($c->answer)->{reason}, 'ok', 'used');
        }
        $c->close;
    }

    ok(defined within(5, sub { redis('EXISTS', $used) }), 'recorded');
    cmp_ok(abs(redis('GET', $used) - time), '<', 30, 'when');
    cmp_ok(redis('TTL', $used), '>', 300 * 86400, 'for a year and more');
    is(calls('set') - $sets, 1, 'one write for all uses by all workers');

    my $other = a_key([], qw(--network 192.0.2.0/24));
    with($other);
    is(says($key), '200 ok', 'another answer');
    ok(!redis('EXISTS', '{pu}:used:' . id_of($other)),
       'a refused key is not used');
};


subtest 'without Redis' => sub {
    my ($key) = a_key([]);
    my ($fresh) = a_key([]);

    ok(defined within(5, sub { with($key)->{cache} eq 'hit' }), 'known');
    $redis->freeze;
    is(says($fresh), '503 store_unavailable', 'nobody knows');
    is(says('puk_junk'), '401 key_unknown', 'but junk is junk');
    $redis->thaw;
    ok(defined within(10, sub { says($fresh) eq '200 ok' }), 'and back');
};


subtest 'the audit line and the error log' => sub {
    my $key = a_key([]);
    with($key);
    my @lines = audit_lines("$ENV{TEST_NGINX_TMP}/audit.log");
    my ($line) = grep { ($_->{handle} // '') eq id_of($key) } @lines;

    is($line->{credential}, 'api_key', 'credential');
    is($line->{name}, "user-$made", 'name');
    ok(!exists $line->{issuer}, 'no issuer');

    my $audit = do { local (@ARGV, $/) = "$ENV{TEST_NGINX_TMP}/audit.log"; <> };
    my $log = $nginx->log;
    my @told = grep { index($audit . $log, substr $_, 15, 43) >= 0 } @keys;
    is_deeply(\@told, [], 'no log has any of ' . @keys . ' keys');
};


subtest 'nginx -t' => sub {
    my ($ok, $text) = nginx_t(http => 'proxy_user_credential api_key=;');
    ok(!$ok, 'no name');
    like($text, qr/has the value "api_key=", allowed are bearer .*, api_key=Header and certificate/, 'what is allowed');

    ($ok, $text) = nginx_t(
        http => 'proxy_user_credential api_key=Authorization;');
    ok(!$ok, 'Authorization');

    ($ok, $text) = nginx_t(
        http => 'proxy_user_credential header=X-Key api_key=x-key;');
    ok(!$ok, 'one header for two kinds');
    like($text, qr/has "api_key=x-key" twice/, 'is twice');

    ($ok, $text) = nginx_t(http => 'proxy_user_credential api_key=X-Key;');
    ok($ok, 'without Redis');
    like($text, qr/\[warn\].*without "proxy_user_redis"/, 'a warning');
};


ok(!trouble($nginx->log), 'nothing alarming was logged');

done_testing();
