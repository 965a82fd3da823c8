# One token is ended by its issuer and name: at once, where it was known
# already, and where Redis has to be asked.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use JSON::PP ();
use Test::More;

use Time::HiRes qw(sleep time);

my $redis = redis_start();
my $ISS = issuer_url();

sub revoke {
    my ($jti, @more) = @_;

    my ($code, $out) = proxy_user(qw(token revoke --issuer), $ISS, '--jti',
                                  $jti, @more);
    return $code ? "$code $out" : $out;
}

sub key_of { '{pu}:jti:' . handle_digest($_[0]) }

sub last_entry {
    my $entry = redis('XREVRANGE', '{pu}:log', '+', '-', 'COUNT', 1)->[0];
    return { @{ $entry->[1] } };
}

my $nginx = store_nginx(workers => 2, redis => 'timeout=2s stale=30s');
seed_user(id => user_id(1), sub => 'alice');
warm($nginx);


subtest 'a token that is known is refused at once' => sub {
    my ($one, $two) = map { as('alice', jti => "k$_") } 1, 2;
    is verdict($nginx, $one), '200 ok', 'good' for 1 .. 8;
    is ask($nginx, $one)->{token_cache}, 'hit', 'and known';
    is verdict($nginx, $two), '200 ok', 'and another';

    like revoke('k1', '--expires', 4102444800), qr/^k1 is revoked until 2100/,
        'revoked';
    my $t = time;
    my $s = within(5, sub { verdict($nginx, $one) eq '401 token_revoked' });
    ok defined $s, "refused after $s s";
    is_deeply verdicts($nginx, ($one) x 20), { '401 token_revoked' => 20 },
        'by every worker, for good';
    is verdict($nginx, $two), '200 ok', 'the other one is good';
    is verdict($nginx, as('alice', jti => 'k1', iat => 1700000001)),
        '401 token_revoked', 'another text of that name is not';
    is verdict($nginx, as('alice')), '200 ok', 'nor is one without a name';

    is_deeply last_entry(), {
        op => 'token_revoke', user => '', handle => 'jti:'
            . handle_digest('k1'), version => 0, source => 'cli',
        actor => last_entry()->{actor}, reason => '' }, 'one log entry';
    is redis('GET', key_of('k1')), 'revoked', 'and one key';
    ok redis('TTL', key_of('k1')) > 1e9, 'until it ends';
};


subtest 'a token that nobody knew is refused' => sub {
    like revoke('u1'), qr/^u1 is revoked until .*30 days from now/,
        'revoked, and says for how long';
    my $ttl = redis('TTL', key_of('u1'));
    ok $ttl > 2591000 && $ttl <= 2592000, '30 days';
    is verdict($nginx, as('alice', jti => 'u1')), '401 token_revoked',
        'a user that is known';
    is verdict($nginx, as('new-here', jti => 'u1')), '401 token_revoked',
        'a user that is not';
    is verdict($nginx, as('alice', jti => 'u2')), '200 ok', 'another';

    my $handle = '{pu}:handle:sub:' . handle_digest('new-here');
    is redis('EXISTS', $handle), 0, 'a revoked token has made nobody';
    is verdict($nginx, as('new-here', jti => 'u2')), '200 ok',
        'another token makes the user';
    is redis('EXISTS', $handle), 1, 'who is there now';
    is verdict($nginx, as('new-here', jti => 'u1')), '401 token_revoked',
        'the revoked one stays it';

    # a name may be a number
    is verdict($nginx, as('alice', jti => 77)), '200 ok', 'a number';
    revoke('77');
    ok defined within(5, sub {
        verdict($nginx, as('alice', jti => 77)) eq '401 token_revoked' }),
        'is a name as well';
    is verdict($nginx, as('alice', jti => [7])), '401 token_claims',
        'a list is none';
};


# They share a look-up, and it is the revoked one's.
subtest 'a revoked token takes nobody else with it' => sub {
    revoke($_) for qw(s1 s2);
    my ($alone) = (all_workers($nginx))[0];
    my %client = by_worker($nginx, 6);
    my @c = @{ $client{$alone} };
    my @jti = qw(s1 s2 s3 s1 s4 s2);

    $redis->freeze;
    $c[$_]->ask('GET', '/', token => as('shared', jti => $jti[$_]))
        for 0 .. $#jti;
    sleep 0.3;
    $redis->thaw;

    my @verdict = map { "$_->{status} $_->{reason}" }
        map { answer_of($_->answer) } @c;
    is_deeply \@verdict, [map { /s[12]/ ? '401 token_revoked' : '200 ok' }
                          @jti], 'each has the answer to its own';
    is redis('HGET', '{pu}:handle:sub:' . handle_digest('shared'), 'user'),
        ask($nginx, as('shared'))->{id}, 'one user was made';
};


subtest 'what is warm asks nothing' => sub {
    my $token = as('alice', jti => 'w1');
    verdicts($nginx, ($token) x 4);
    my $before = calls('get');
    is_deeply verdicts($nginx, ($token) x 200), { '200 ok' => 200 }, 'good';
    is calls('get') - $before, 0, 'without Redis';

    is verdict($nginx, as('alice', jti => 'w2')), '200 ok', 'a new token';
    is calls('get') - $before, 1, 'asks once';
    is verdict($nginx, as('alice', n => rand)), '200 ok', 'one without name';
    is calls('get') - $before, 1, 'does not';

    revoke('somebody-elses');
    is_deeply verdicts($nginx, ($token) x 20), { '200 ok' => 20 },
        'another revocation leaves it';
    is calls('get') - $before, 1, 'and costs nothing';
};


subtest 'Redis that does not answer' => sub {
    my ($known, $gone) = map { as('alice', jti => "r$_") } 1, 2;
    verdicts($nginx, ($known, $gone) x 4);
    revoke('r2');
    ok defined within(5, sub {
        verdict($nginx, $gone) eq '401 token_revoked' }), 'revoked';

    $redis->freeze;
    is verdict($nginx, $known), '200 ok', 'known tokens are good';
    is verdict($nginx, $gone), '401 token_revoked',
        'what is known to be revoked is';

    my $new = as('alice', jti => 'r3');
    is verdict($nginx, $new), '200 ok', 'a new one under stale';
    is ask($nginx, $new)->{token_cache}, 'miss', 'is not remembered';
    is verdict($nginx, $new, '/closed'), '503 store_unavailable',
        'and nothing under closed';
    $redis->thaw;

    ok defined within(10, sub {
        ask($nginx, $new)->{token_cache} eq 'hit' }), 'later it is';
};


subtest 'a log that was lost makes every name be asked for again' => sub {
    my $token = as('alice', jti => 'l1');
    verdicts($nginx, ($token) x 4);
    redis('SET', key_of('l1'), 'revoked', 'EX', 1000);
    is verdict($nginx, $token), '200 ok', 'nobody has been told';
    redis('DEL', '{pu}:log');
    seed_user(id => user_id(2), sub => 'bob');
    revoke('unrelated');
    ok defined within(10, sub {
        verdict($nginx, $token) eq '401 token_revoked' }), 'then it is asked';
};


subtest 'until it ends' => sub {
    my $token = as('alice', jti => 'e1');
    is verdict($nginx, $token), '200 ok', 'good';
    like revoke('e1', '--expires', '2s'), qr/^e1 is revoked until/, 'for 2 s';
    ok defined within(2, sub {
        verdict($nginx, $token) eq '401 token_revoked' }), 'refused';
    ok defined within(10, sub { verdict($nginx, $token) eq '200 ok' }),
        'and forgotten with the key';
};


# 100 ms are promised of an idle machine; bench/revoke measures them.
subtest 'in every worker of two nginx, within a second' => sub {
    my $other = start_nginx(workers => 2, bare => 1,
        server => store_server(), http => 'proxy_user_zone 2m; '
            . store_http(redis => 'timeout=2s stale=30s') . <<"END");
proxy_user_issuer idp {
    issuer $ISS;
    audience api;
    jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;
}
END
    my @client = map { my %by = by_worker($_, 1); map { @$_ } values %by }
        $nginx, $other;
    is scalar(@client), 4, 'four workers';

    my @took;
    for my $n (1 .. 10) {
        my $token = as('alice', jti => "two-$n");
        for my $c (@client) {
            within(5, sub { through($c, $token) eq '200 ok' });
        }

        revoke("two-$n");
        my $s = within(5, sub {
            !grep { through($_, $token) ne '401 token_revoked' } @client });
        push @took, $s // 9;
    }

    my ($longest) = sort { $b <=> $a } @took;
    cmp_ok $longest, '<', 1, 'the last one is told after ' . $longest . ' s';
    ok !trouble($other->log), 'nothing alarming was logged there';
    $other->stop;
};


subtest 'the command' => sub {
    my @year = ('--expires', 4000000000);
    my $done = JSON::PP->new->decode(revoke('c1', '--json', @year));
    is_deeply $done, { op => 'token_revoke', issuer => $ISS, jti => 'c1',
        changed => JSON::PP::true(), expires => 4000000000 }, 'JSON';
    like revoke('c1', @year), qr/^c1 was revoked already, until 2096/,
        'twice is once';
    my $entries = redis('XLEN', '{pu}:log');
    revoke('c1', @year);
    is redis('XLEN', '{pu}:log'), $entries, 'and no second entry';
    like revoke('c1', '--expires', '4102444800'), qr/^c1 is revoked until/,
        'longer is more';
    like revoke('c1', '--expires', '1h'), qr/already, until 2100/,
        'shorter is not less';
    revoke('c3', '--reason', 'was in a log');
    is last_entry()->{reason}, 'was in a log', 'the reason is kept';

    like revoke('c4', '--expires', 5), qr/^1 .*in the past/, 'in the past';
    like revoke('c4', '--expires', 'soon'), qr/^2 .*no time/, 'no time';
    like join(' ', proxy_user(qw(token revoke --jti x))),
        qr/^2 .*--issuer URL/, 'no issuer';
    like join(' ', proxy_user(qw(token revoke --issuer), $ISS)),
        qr/^2 .*--jti J/, 'no jti';

    redis('HSET', key_of('c5'), 'a', 1);
    like revoke('c5'), qr/^1 .*of another kind/, 'a key of another kind';
    $nginx->mark;
    is verdict($nginx, as('alice', jti => 'c5')), '200 ok',
        'of which the module knows nothing';
    is verdict($nginx, as('alice', jti => 'c5'), '/closed'),
        '503 store_unavailable', 'which is not enough everywhere';
    is verdict($nginx, as('nobody-yet', jti => 'c5')),
        '503 store_unavailable', 'and makes nobody';
    ok $nginx->wait_log(qr/cannot be read: the key "jti:[\w-]{43}" is/),
        'the log says what it is';
    unlike $nginx->log, qr/is not available/, 'and does not blame Redis';
};

ok !trouble($nginx->log), 'nothing alarming was logged';

done_testing;
