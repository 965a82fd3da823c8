# Nothing is lost and nothing is half made: Redis, the workers of nginx and the
# command are killed, again and again, in the middle of changes of every kind.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Durable;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

# So soon must the view of a running nginx be right again.
my $SECONDS = $ENV{PROXY_USER_DURABLE_SECONDS} // 4;

sub doctor_finds_nothing {
    my ($code, $text) = proxy_user('doctor');
    is $code, 0, 'the doctor finds nothing' or diag $text;
}

sub diag_storm {
    my ($storm) = @_;
    diag "$storm->{done} of $storm->{tried} changes were acknowledged; killed:"
        . " Redis $storm->{redis}, workers $storm->{worker}, commands"
        . " $storm->{command}";
}


subtest 'with appendonly always every acknowledged change is there' => sub {
    my $redis = redis_start(config => [appendonly => 'yes',
                                       appendfsync => 'always']);
    my $nginx = durable_nginx(workers => 2);
    warm($nginx);

    my $storm = storm($redis, $nginx, seconds => $SECONDS, redis => 1,
                      worker => 0.7);
    diag_storm($storm);
    cmp_ok $storm->{redis}, '>=', 2, 'Redis was killed';
    cmp_ok $storm->{worker}, '>=', 2, 'workers were';
    cmp_ok $storm->{done}, '>=', 50, 'and changes were acknowledged';

    is_deeply [lost($storm)], [], 'none of them is lost';
    is_deeply [half_made()], [], 'nothing is half made';
    doctor_finds_nothing();
    is_deeply [unseen($storm, $nginx)], [], 'nginx says what Redis does';
    my @worker = all_workers($nginx);
    is scalar(@worker), 2, 'with all its workers';
    $redis->stop;
};


# The last second may be lost, but whole changes of it, and nginx notices.
subtest 'with appendonly everysec nothing is half made' => sub {
    my $redis = redis_start(config => [appendonly => 'yes',
                                       appendfsync => 'everysec']);
    my $nginx = durable_nginx(workers => 2);
    warm($nginx);

    my $storm = storm($redis, $nginx, seconds => $SECONDS / 2, redis => 0.7,
                      worker => 0.9);
    diag_storm($storm);
    cmp_ok $storm->{redis}, '>=', 1, 'Redis was killed';

    # once more, right after changes that nginx may have seen already
    my @known = grep { $_->{sub} } @{ $storm->{users} };
    proxy_user(qw(user suspend), $_->{id}) for grep { $_ } @known[0 .. 3];
    killed_and_back($redis);

    is_deeply [half_made()], [], 'nothing is half made';
    doctor_finds_nothing();
    is_deeply [unseen($storm, $nginx)], [], 'nginx says what Redis does';
    $redis->stop;
};


# A dump of an hour ago is what there is after a crash.
subtest 'an older dump is recognised' => sub {
    my $redis = redis_start();
    my ($token, $id, $sub) = a_user();
    change_user($id, 'suspend', state => 'suspended');
    redis('SAVE');
    is proxy_user(qw(user resume), $id), 0, 'resumed after the dump';

    my $nginx = durable_nginx();
    warm($nginx);
    ok cached($nginx, $token), 'and cached as such';
    is verdict($nginx, as('new-here')), '200 ok', 'somebody is made';
    my $new = redis('HGET', '{pu}:handle:sub:' . handle_digest('new-here'),
                    'user');

    $nginx->mark;
    killed_and_back($redis);
    is redis('HGET', "{pu}:user:$id", 'state'), 'suspended',
        'Redis comes back as it was';
    is redis('EXISTS', "{pu}:user:$new"), 0, 'without the new one';

    my $s = refused_after($nginx, $token, time, 8);
    cmp_ok $s // 99, '<', 5, 'what it says counts';
    ok $nginx->wait_log(qr/\[warn\].*proxy_user: the change log/),
        'the log tells of it';
    unlike verdict($nginx, as('new-here')), qr/^403/,
        'nothing of what came after it is remembered';
    isnt ask($nginx, as('new-here'))->{id}, $new, 'nobody is served from it';
    $redis->stop;
};


done_testing();
