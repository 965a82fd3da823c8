# The configuration changes, workers come and go, some of them badly: whoever
# waits is answered, what was learnt stays, what was changed is in force, and
# nothing is left behind.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use Test::More;

use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my %role = (claims => { roles => ['reader'] });
my $alice = token(%role);

sub stranger { token(claims => { sub => $_[0] }) }

# What every configuration here has; the rest is given.
sub settings {
    my (%opt) = @_;

    my $issuer = $opt{issuer} // <<'END';
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_TMP/keys.json;
    role_map reader reader;
END
    return (
        http => 'proxy_user_zone ' . ($opt{zone} // '2m') . ";\n"
            . ($opt{redis} // '') . "\nproxy_user_issuer idp {\n$issuer}\n"
            . ($opt{http} // ''),
        server => <<'END' . ($opt{server} // ''),
add_header X-Reason $proxy_user_reason always;
add_header X-Id $proxy_user_id always;
add_header X-Cache "$proxy_user_cache $proxy_user_token_cache" always;
proxy_user on;
location / { try_files /index.html =404; }
location /role { proxy_user_role reader; try_files /index.html =404; }
END
        workers => $opt{workers}, expect => $opt{expect},
    );
}

sub keys_are { write_file('keys.json', jwks(@_)) }

my @keys = map { jwk($_) } qw(rsa1 ec256);
keys_are(@keys);

sub said {
    my ($nginx, $uri, $token) = @_;

    my $answer = $nginx->get($uri, $token) or return 'cut';
    return "$answer->{status} " . ($answer->{headers}{'x-reason'} // '');
}

sub cache { $_[0]->get('/role', $_[1])->{headers}{'x-cache'} // '' }

# A user who has just been made is read once more, when the log tells of him.
sub warm {
    my ($nginx, @token) = @_;

    for my $token (@token) {
        for (1 .. 150) {
            last if cache($nginx, $token) eq 'hit hit';
            sleep 0.02;
        }
    }
}

sub leaving { $_[0]->workers(qr/^nginx: worker process is shutting down/) }

sub gone {
    my ($nginx, $seconds) = @_;

    my $end = time + ($seconds // 5);
    while (leaving($nginx)) {
        return 0 if time > $end;
        sleep 0.02;
    }

    return 1;
}

# Requests that wait for Redis, which was told to take its time.
sub waiting {
    my ($nginx, @token) = @_;

    my @c = map {
        my $c = $nginx->connect;
        $c->ask('GET', '/', token => $_);
        $c;
    } @token;

    sleep 0.2;
    return @c;
}

sub statuses {
    return join ' ', map { ($_->answer // { status => 'cut' })->{status} } @_;
}


# A reload while requests wait.

my $redis = redis_start();
seed_user(id => user_id(1), sub => 'alice');
seed_user(id => user_id(2), sub => 'bob', state => 'suspended');
my $fake = fake_redis($redis);
my $slow = "proxy_user_redis redis://127.0.0.1:$fake->{port} timeout=4s;";

my $nginx = start_nginx(settings(redis => $slow, workers => 2));
warm($nginx, $alice);

$redis->freeze;
my @c = waiting($nginx, map { stranger("first $_") } 1 .. 6);
push @c, waiting($nginx, stranger('bob'), 'x');
ok $nginx->reload, 'a reload while eight wait';
$redis->thaw;
is statuses(@c), join(' ', (200) x 6, 403, 401),
    'and each of them is told what it would have been told';
ok gone($nginx), 'then the old workers go';

$redis->freeze;
@c = waiting($nginx, map { stranger("second $_") } 1 .. 4);
ok $nginx->reload, 'a reload';
ok $nginx->reload, 'and another at once';
$redis->thaw;
is statuses(@c), join(' ', (200) x 4), 'both outlived by who waits';

$nginx->configure(settings(redis => $slow =~ s/4s/500ms/r, workers => 2));
ok $nginx->reload, 'a shorter patience';
is said($nginx, '/', stranger('third')), '200 ok', 'is enough';
$fake->mode('silence', on => 'EVALSHA');
@c = waiting($nginx, map { stranger("nobody $_") } 1 .. 4);
my $since = time;
ok $nginx->reload, 'a reload while Redis says nothing';
is statuses(@c), join(' ', (503) x 4), 'who waits is told so';
ok time - $since < 1.5, 'within twice the timeout';
ok gone($nginx), 'and the old workers go';
$fake->mode('pass');
$nginx->configure(settings(redis => $slow, workers => 2));
ok $nginx->reload, 'patience again';
is said($nginx, '/', stranger('after')), '200 ok', 'all is well';


# What the zone has learnt outlives a reload.

warm($nginx, $alice);
my $asked = $fake->count('EVALSHA');
my $id = $nginx->get('/', $alice)->{headers}{'x-id'};
ok $nginx->reload, 'a reload';
is cache($nginx, $alice), 'hit hit', 'finds token and user in the zone';
is $nginx->get('/', $alice)->{headers}{'x-id'}, $id, 'the same user';
is $fake->count('EVALSHA'), $asked, 'and does not ask Redis';

change_user($id, 'suspend', state => 'suspended');
my $end = time + 3;
sleep 0.02 while time < $end && said($nginx, '/', $alice) =~ /ok/;
is said($nginx, '/', $alice), '403 user_suspended',
    'the new workers follow the log';
ok $nginx->reload, 'a reload';
is said($nginx, '/', $alice), '403 user_suspended',
    'and a suspended user stays so';
change_user($id, 'resume', state => 'active');

is cache($nginx, $alice) =~ /hit$/, 1, 'a token of before';
ok $nginx->configure(settings(redis => $slow, zone => '3m')), 'another size';
ok $nginx->reload, 'is no reason not to';
is cache($nginx, $alice), 'miss miss', 'but begins with nothing';
warm($nginx, $alice);
is cache($nginx, $alice), 'hit hit', 'and learns';


# Another Redis has other users.

my $second = redis_start();
seed_user(id => user_id(3), sub => 'alice', state => 'suspended');
my $url = "proxy_user_redis unix:$second->{socket};";

$nginx->configure(settings(redis => $url, workers => 2));
ok $nginx->reload, 'another Redis';
is said($nginx, '/', $alice), '403 user_suspended', 'knows its own alice';
is said($nginx, '/', stranger('bob')), '200 ok', 'and its own bob';
ok gone($nginx), 'the workers of the first Redis go';

$nginx->configure(settings(redis => $slow, workers => 2));
ok $nginx->reload, 'the first again';
is said($nginx, '/', $alice), '200 ok', 'with its alice';
is said($nginx, '/', stranger('bob')), '403 user_suspended', 'and bob';

$nginx->configure(settings(workers => 2));
ok $nginx->reload, 'no Redis at all';
isnt $nginx->get('/', $alice)->{headers}{'x-id'}, $id, 'has none of them';
ok gone($nginx), 'the workers go';
ok $nginx->stop, 'so does all of it';
ok !$nginx->trouble, 'and leaves no socket open';


# Settings are in force at once, for tokens that are in the zone as well.

my %issuer = (
    issuer => 'https://idp.example.com', audience => 'api',
    jwks_file => '$TEST_NGINX_TMP/keys.json', role_map => 'reader reader',
);

sub issuer {
    my %line = (%issuer, @_);
    delete $line{$_} for grep { !defined $line{$_} } keys %line;
    return join '', map { "$_ $line{$_};\n" } sort keys %line;
}

my $late = token(claims => { roles => 'reader', exp => int(time) - 5,
                             sub => 'late', email => 'a@example.com' });
my @token = ($alice, $late);
my $expect = qr/\[emerg\]/;
$nginx = start_nginx(settings(issuer => issuer(), expect => $expect));

for (['another audience', { audience => 'x' }, '401 token_audience'],
     ['another issuer', { issuer => 'https://x.example.com' },
      '401 token_issuer'],
     ['other algorithms', { algorithms => 'ES256 PS256' },
      '401 token_algorithm'],
     ['a claim that is needed', { claim => 'x y' }, '401 token_claims'],
     ['another place for the audience', { audience_claim => 'client_id' },
      '401 token_audience'],
     ['another place for the roles', { role_claim => 'groups' },
      '403 role_missing'],
     ['another meaning of a role', { role_map => 'reader writer' },
      '403 role_missing'],
     ['roles without a meaning', { role_map => undef },
      '403 role_missing'],
     ['a role for all', { role_map => undef, default_role => 'reader' },
      '200 ok'],
     ['another subject', { subject => 'email' }, '401 token_claims',
      '200 ok'],
     ['no leeway', { leeway => '0s' }, '200 ok', '401 token_expired'],
     ['keys in another file', { jwks_file => 'other.json' },
      '401 token_key_unknown']) {
    my ($title, $change, @said) = @$_;
    $said[1] //= $said[0];

    warm($nginx, @token);
    is said($nginx, '/role', $_), '200 ok', "before: $title" for @token;

    write_file("$nginx->{root}/conf/other.json", jwks(jwk('ec256')));
    $nginx->configure(settings(issuer => issuer(%$change)));
    ok $nginx->reload, $title;

    for my $n (0, 1) {
        is said($nginx, '/role', $token[$n]), $said[$n],
            "$title, $n, once" for 1, 2;
    }

    $nginx->configure(settings(issuer => issuer()));
    ok $nginx->reload, "without: $title";
}

for (['keys taken away', [jwk('ec256')], '401 token_key_unknown'],
     ['another key of the name', [jwk('rsa2', kid => 'rsa1')],
      '401 token_signature'],
     ['a key for something else', [jwk('rsa1', use => 'enc')],
      '401 token_key_unknown'],
     ['a key for another algorithm', [jwk('rsa1', alg => 'RS512')],
      '401 token_key_unknown'],
     ['a key for encryption by its operations',
      [jwk('rsa1', key_ops => ['encrypt'])], '401 token_key_unknown'],
     ['a key of another name', [jwk('rsa1', kid => 'x'), jwk('ec256')],
      '401 token_key_unknown'],
     ['one key more', [@keys, jwk('rsa2')], '200 ok']) {
    my ($title, $set, $said) = @$_;

    warm($nginx, @token);
    is said($nginx, '/role', $alice), '200 ok', "before: $title";
    keys_are(@$set);
    is said($nginx, '/role', $alice), '200 ok', "not read yet: $title";
    ok $nginx->reload, $title;
    is said($nginx, '/role', $alice), $said, "$title, once" for 1, 2;
    keys_are(@keys);
    ok $nginx->reload, "without: $title";
}

$nginx->configure(settings(issuer => issuer(provision => 'known')));
ok $nginx->reload, 'no new users';
is said($nginx, '/role', $alice), '200 ok', 'who is known stays so';
is said($nginx, '/', stranger('new')), '403 user_unknown',
    'who is not is refused';
$nginx->configure(settings(issuer => issuer(),
                           server => 'proxy_user_role admin;'));
ok $nginx->reload, 'a rule for all of the server';
is said($nginx, '/', $alice), '403 role_missing', 'is in force';
is said($nginx, '/role', $alice), '200 ok', 'unless a location has its own';

$nginx->configure(settings(issuer => issuer()));
ok $nginx->reload, 'as it was';
warm($nginx, $alice);


# A configuration that is wrong changes nothing.

my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
    or die $!;
my $bind = 'listen 127.0.0.1:' . $taken->sockport . ';';
write_file("$nginx->{root}/conf/$_->[0]", $_->[1])
    for ['garbage.json', '{'], ['empty.json', '{"keys":[]}'],
        ['secret.json', '{"keys":[{"kty":"oct","k":"AAAA"}]}'];

for (['an unknown directive', server => 'proxy_user_maybe on;'],
     ['a wrong value', server => 'location /x { proxy_user maybe; }'],
     ['a method that is none', server => 'proxy_user_role reader GETT;'],
     ['an issuer nobody knows', server => 'proxy_user_accept nobody;'],
     ['no audience', issuer => issuer(audience => undef)],
     ['no file', issuer => issuer(jwks_file => 'missing.json')],
     ['no JSON', issuer => issuer(jwks_file => 'garbage.json')],
     ['no public key', issuer => issuer(jwks_file => 'secret.json')],
     ['two of one kind', http => 'proxy_user_zone 4m;'],
     ['a wrong address', redis => 'proxy_user_redis http://127.0.0.1;'],
     ['an end too early', server => '} '],
     ['an address that is taken, and all else new', server => $bind,
      zone => '4m', issuer => issuer(audience => 'x'),
      redis => 'proxy_user_redis redis://127.0.0.1:$TEST_NGINX_PORT;']) {
    my ($title, @change) = @$_;

    my @worker = $nginx->all_workers(1);
    $nginx->mark;
    $nginx->configure(settings(issuer => issuer(), @change));
    $nginx->signal('HUP');
    ok $nginx->wait_log($title =~ /taken/ ? qr/still could not bind/
                                                 : qr/\[emerg\]/, 5), $title;
    is cache($nginx, $alice), 'hit hit', "$title: nothing is forgotten";
    is said($nginx, '/role', stranger('x')), '403 role_missing',
        "$title: and nothing opened";
    is join(' ', sort $nginx->workers), "@worker", "$title: same workers";
}

$nginx->configure(settings(issuer => issuer()));
ok $nginx->reload, 'a good one again';
is cache($nginx, $alice), 'hit hit', 'goes on where the last one was';


# Twenty reloads under load. Keys enough to be noticed if they were kept.

keys_are(@keys, map { jwk($_ % 2 ? 'rsa2' : 'ec256b', kid => "k$_") }
         1 .. 60);
is scalar(grep { $nginx->reload } 1 .. 3), 3, 'three reloads with many keys';
ok gone($nginx), 'the workers of before have gone';

# The master closes what it has of a worker when it learns of its end.
sub descriptors {
    my $last = -1;

    for (1 .. 30) {
        my $now = () = glob '/proc/' . $nginx->pid . '/fd/*';
        return $now if $now == $last;
        $last = $now;
        sleep 0.2;
    }

    return 'never the same';
}

sub kilobytes {
    my ($n) = read_file('/proc/' . $nginx->pid . '/status')
        =~ /^VmRSS:\s+(\d+)/m;
    return $n;
}

my ($fds, $size) = (descriptors(), kilobytes());
my $stop = write_file('go', '');
my $pid = open my $load, '-|';
die "fork: $!\n" unless defined $pid;

if ($pid == 0) {
    my %said;
    while (-e $stop) {
        $said{ eval { said($nginx, '/role', $alice) } // 'cut' }++;
        $said{ eval { said($nginx, '/role') } // 'cut' }++;
    }

    print join ', ', sort keys %said;
    close STDOUT;
    POSIX::_exit(0);
}

is scalar(grep { $nginx->reload } 1 .. 20), 20, 'twenty reloads';
unlink $stop;
is scalar(<$load>), '200 ok, 401 no_credential',
    'and every answer meanwhile was right';
close $load;
ok gone($nginx), 'no old worker stays';
is descriptors(), $fds, 'the master has as many descriptors as before';

SKIP: {
    skip 'a sanitizer keeps freed memory, and looks for leaks itself', 1
        if $ENV{PROXY_USER_MODULE} eq '';
    my $grown = kilobytes() - $size;
    ok $grown < 500, "and is no larger ($grown KiB)";
}

ok $nginx->stop, 'an end';
keys_are(@keys);


# kill -9 while requests wait.

$redis = redis_start();
seed_user(id => user_id(1), sub => 'alice');
my $stored = 'proxy_user_redis unix:$TEST_NGINX_REDIS_SOCKET timeout=4s;';
$nginx = start_nginx(settings(redis => $stored, workers => 2,
    expect => qr/exited on signal 9|was locked by/));
warm($nginx, $alice);

for my $round (1, 2) {
    $redis->freeze;
    @c = waiting($nginx, map { stranger("$round $_") } 1 .. 12);
    my ($victim) = $nginx->all_workers(2);
    kill KILL => $victim;

    $end = time + 3;
    sleep 0.02 while time < $end && grep { $_ == $victim } $nginx->workers;
    my @now = $nginx->all_workers(2);
    $redis->thaw;
    is scalar(@now), 2, 'a worker is killed and replaced';
    like statuses(@c), qr/\A(?:(?:200|cut) ?){12}\z/,
        'who waits for another one is let in';
    is said($nginx, '/', stranger("new $round")), '200 ok',
        'the next one too' for 1 .. 4;
    is said($nginx, '/', 'x'), '401 token_malformed', 'or not' for 1 .. 4;
}

# Whoever followed the log has gone: somebody else has to.
warm($nginx, $alice);
change_user(user_id(1), 'suspend', state => 'suspended');
$end = time + 4;
sleep 0.02 while time < $end && said($nginx, '/', $alice) =~ /ok/;
is said($nginx, '/', $alice), '403 user_suspended', 'the log is followed';
change_user(user_id(1), 'resume', state => 'active');

# Killed anywhere, under the lock of the zone too.
$stop = write_file('go', '');
my @job = map {
    my $n = $_;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        for (my $i = 0; -e $stop; $i++) {
            eval { said($nginx, '/role', $i % 3 ? $alice : stranger($i)) };
        }

        POSIX::_exit(0);
    }

    $pid;
} 1 .. 3;

for (1 .. 6) {
    sleep 0.15;
    my @worker = $nginx->workers;
    kill KILL => $worker[rand @worker] if @worker;
}

unlink $stop;
waitpid $_, 0 for @job;
warm($nginx, $alice);
is said($nginx, '/role', $alice), '200 ok', 'after six kills all is well';
is said($nginx, '/role', stranger('z')), '403 role_missing', 'for everybody';
is cache($nginx, $alice), 'hit hit', 'and the zone learns again';
ok $nginx->stop, 'an end';
ok !$nginx->trouble, 'and no trouble but what was made';


# An end while requests wait.

$nginx = start_nginx(settings(redis => $stored, workers => 2));
warm($nginx, $alice);
$redis->freeze;
@c = waiting($nginx, map { stranger("last $_") } 1 .. 6);
my $master = $nginx->pid;
$nginx->signal('QUIT');
sleep 0.2;
$redis->thaw;
is statuses(@c), join(' ', (200) x 6), 'QUIT: all who wait are let in';
$end = time + 5;
sleep 0.02 while time < $end && waitpid($master, 1) != $master;
is $?, 0, 'and nginx ends well';
delete $nginx->{pid};
ok !$nginx->trouble, 'with no socket left open';

$nginx = start_nginx(settings(redis => $stored =~ s/4s/500ms/r));
warm($nginx, $alice);
$redis->freeze;
@c = waiting($nginx, map { stranger("silence $_") } 1 .. 3);
$since = time;
$nginx->signal('QUIT');
is statuses(@c), '503 503 503', 'QUIT while Redis says nothing';
ok $nginx->stop, 'nginx ends';
ok time - $since < 4, 'soon';
ok !$nginx->trouble, 'with no socket left open';
$redis->thaw;

$nginx = start_nginx(settings(redis => $stored, workers => 2));
warm($nginx, $alice);
$redis->freeze;
@c = waiting($nginx, map { stranger("term $_") } 1 .. 3);
$since = time;
ok $nginx->stop('TERM'), 'TERM: nginx ends';
is statuses(@c), 'cut cut cut', 'whoever waits';
ok time - $since < 2, 'at once';
ok !$nginx->trouble, 'without a word';
$redis->thaw;

done_testing;
