# What a directory seldom meets: somebody else who changes or deletes the same
# user or group between two questions to Redis, groups and members that are
# full, and a Redis that answers one question with nonsense.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::FakeRedis;
use ProxyUser::Redis qw(user_id);
use ProxyUser::Scim;
use ProxyUser::Store;
use Test::More;

use JSON::PP ();
use Time::HiRes qw(sleep);

my $false = JSON::PP::false;
my $json = JSON::PP->new->utf8->canonical;
my $redis = redis_start();
my $fake = fake_redis($redis);
my $nginx = scim_nginx(url => "redis://127.0.0.1:$fake->{port}",
                       redis => 'timeout=10s');

sub status { $_[0]{status} . ($_[0]{type} ? " $_[0]{type}" : '') }

sub detail { $_[0]{json}{detail} // '' }

sub group { redis('HGET', "{pu}:group:$_[0]", $_[1]) }

sub members { join ' ', @{ redis('ZRANGE', "{pu}:members:$_[0]", 0, -1) } }


# The answer to a request whose first answer from Redis is late: meanwhile the
# code runs.
sub meanwhile {
    my ($code, $method, $path, $body, %header) = @_;
    my $asked = $fake->count('EVALSHA');

    $fake->mode('delay', seconds => 0.6, on => 'EVALSHA', times => 1);

    my $c = $nginx->connect;
    $c->ask($method, "/scim/v2$path", token => $SECRET,
            headers => [['Content-Type' => 'application/scim+json'],
                        map { [$_ => $header{$_}] } sort keys %header],
            defined $body ? (body => $json->encode($body)) : ());

    within(10, sub { $fake->count('EVALSHA') > $asked }) // die 'not asked';
    sleep 0.1;
    $code->();

    my $r = $c->answer(timeout => 30) or die "no answer\n" . $nginx->log;
    $fake->mode('pass');
    $r->{json} = eval { $json->decode($r->{body}) };
    $r->{type} = ref $r->{json} ? $r->{json}{scimType} // '' : '';
    return $r;
}

sub operations { { Operations => [map {
    { op => $_->[0], path => $_->[1], value => $_->[2] } } @_] } }


subtest 'somebody else changes a group' => sub {
    my ($ada, $bob) = (make_user('ada'), make_user('bob'));
    my $g = make_group('editor', $ada);

    my $r = meanwhile(sub { patch_beside($g, $bob) }, 'PATCH', "/Groups/$g",
                      operations([replace => 'displayName', 'writer']));
    is($r->{status}, 204, 'it is changed again');
    is(group($g, 'display_name'), 'writer', 'the name');
    is(members($g), "$ada $bob", 'and what the other has changed');
    is(roles_of($_), 'writer', 'a member has the role') for $ada, $bob;

    my $version = group($g, 'version');
    $r = meanwhile(sub { redis('HINCRBY', "{pu}:group:$g", 'version', 1) },
                   'PATCH', "/Groups/$g",
                   operations([replace => 'displayName', 'reader']),
                   'If-Match' => "W/\"$version\"");
    is(status($r), '412', 'who said of which version is told');
    is(detail($r), 'the group has another version', 'and why');
    is(group($g, 'display_name'), 'writer', 'nothing is changed');
    is(roles_of($ada), 'writer', 'and nobody\'s roles');

    $r = meanwhile(sub { redis('DEL', "{pu}:group:$g") }, 'PUT',
                   "/Groups/$g", { displayName => 'back', members => [] });
    is(status($r), '404', 'what is deleted is not made again');
    is(group($g, 'display_name'), undef, 'there is none');
};


# By another way to the same Redis.
sub patch_beside {
    my ($g, $user) = @_;
    my ($find) = grep { $_->[0] eq 'EVALSHA' } @{ $fake->commands };

    redis('EVALSHA', @$find[1 .. 3], 'group_change', $g, '', 'other', 'scim',
          "group $g", group($g, 'display_name'), '', group($g, 'roles'),
          $user, '', '');
}


subtest 'somebody else changes a user' => sub {
    my $id = make_user('eve');

    my $r = meanwhile(sub {
        redis('HSET', "{pu}:user:$id", 'version', 7, 'name', 'Eve') },
        'PATCH', "/Users/$id", operations([replace => 'active', $false]));
    is($r->{status}, 200, 'it is changed again');
    is($r->{json}{meta}{version}, 'W/"8"', 'after the other\'s version');
    is($r->{json}{active}, $false, 'is off');
    is(field($id, 'state'), 'suspended', 'in the store too');

    $r = meanwhile(sub { redis('HINCRBY', "{pu}:user:$id", 'version', 1) },
                   'DELETE', "/Users/$id", undef, 'If-Match' => 'W/"8"');
    is(status($r), '412', 'who said of which version is told');
    is(field($id, 'state'), 'suspended', 'and it is not deleted');

    $r = meanwhile(sub {
        redis('HSET', "{pu}:user:$id", 'state', 'deleted') },
        'PUT', "/Users/$id", { userName => 'eve', title => 'x' });
    is(status($r), '404', 'who is deleted is not changed');
    is(field($id, 'extra'), undef, 'nothing is written');
};


subtest 'what is full' => sub {
    my $ada = make_user('full-ada');
    my $bob = make_user('full-bob');
    my $g = make_group('many', $ada);

    redis('EVAL', <<'END', 1, "{pu}:members:$g");
for i = 2, 50000 do
    redis.call('ZADD', KEYS[1], i,
               'u_CCCCCCCCCCCCCCCCC' .. string.format('%05d', i))
end
END

    my $add = sub { patch("/Groups/$g", [add => 'members',
                                         [map { { value => $_ } } @_]]) };
    my $r = $add->($bob);
    is(status($r), '400 invalidValue', 'one more than 50,000');
    is(detail($r), 'a group has at most 50000 members', 'is told why');
    is(redis('ZCARD', "{pu}:members:$g"), 50000, 'nobody was put in');
    is(roles_of($bob), '', 'nor given a role');

    is($add->($ada)->{status}, 204, 'who is a member is none more');
    is(patch("/Groups/$g", [remove => 'members', [{ value => $ada }]],
             [add => 'members', [{ value => $bob }]])->{status}, 204,
       'one for another');
    is(roles_of($ada) . '|' . roles_of($bob), '|many', 'and the role with it');
    is(redis('ZCARD', "{pu}:members:$g"), 50000, 'as many as before');
    is(status($add->($ada)), '400 invalidValue', 'and no more');

    redis('DEL', "{pu}:group:$g", "{pu}:members:$g");

    my @groups = map { 'g_' . substr user_id($_), 2 } 1 .. 256;
    redis('HSET', "{pu}:user:$ada", 'groups', "@groups");
    $r = scim('POST', '/Groups', { displayName => 'one-more', members =>
        [{ value => $ada }] });
    is(status($r), '400 invalidValue', 'a group more than 256');
    is(detail($r), 'a member is in 256 groups already', 'is told why');
    is(scim('GET', '/Groups?filter='
            . uri_escape('displayName eq "one-more"'))
       ->{json}{totalResults}, 0, 'there is no such group');

    redis('HSET', "{pu}:user:$bob", 'groups', '', 'scim_roles', '', 'roles',
          join ' ', map { "r$_\@1" } 1 .. 256);
    $g = make_group('role');
    $r = patch("/Groups/$g", [add => 'members', [{ value => $bob }]]);
    is(status($r), '400 invalidValue', 'too many roles');
    is(detail($r), 'a member has too many roles already', 'is told why');
    is(members($g), '', 'no member');
};


subtest 'one answer that makes no sense' => sub {
    my $ada = make_user('odd-ada');
    my $g = make_group('odd', $ada);
    my $before = group($g, 'version') . field($ada, 'version');
    my $users = redis('ZCARD', '{pu}:users');

    for my $mode (qw(nil integer status empty readonly oom)) {
        for (['POST', '/Users', { userName => "odd-$mode" }],
             ['GET', "/Users/$ada"], ['GET', '/Users'],
             ['PUT', "/Users/$ada", { userName => 'x' }],
             ['GET', '/Groups?sortBy=displayName'],
             ['POST', '/Groups', { displayName => "odd-$mode" }],
             ['GET', "/Groups/$g"], ['DELETE', "/Groups/$g"],
             ['PUT', "/Groups/$g", { displayName => 'x' }])
        {
            $fake->mode($mode, on => 'EVALSHA', times => 1);
            my $r = scim(@$_);
            is(status($r), '503', "$mode: $_->[0] $_->[1]");
            is(detail($r), 'the store of users does not answer as it should',
               "$mode: $_->[0] $_->[1]: why");
        }
    }

    $fake->mode('noscript', on => 'EVALSHA', times => 1);
    is(scim('GET', "/Groups/$g")->{status}, 200, 'a lost script is loaded');
    $fake->mode('pass');
    is(group($g, 'version') . field($ada, 'version'), $before,
       'nothing is changed');
    is(redis('ZCARD', '{pu}:users'), $users, 'nobody is made');
};


subtest 'parts of several values' => sub {
    my $id = make_user('parts', emails => [
        { value => 'a@example.com', type => 'work', primary => $false },
        { value => 'b@example.com' }]);
    my $r = scim('GET', "/Users/$id?attributes=emails.value,emails.type");
    is_deeply($r->{json}{emails}, [
        { value => 'a@example.com', type => 'work' },
        { value => 'b@example.com' }], 'all that were asked for');
};


done_testing();
