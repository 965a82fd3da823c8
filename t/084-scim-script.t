# What the script does for a directory: users before their first token, groups
# and their members, what is given and taken, and what is refused whole. No
# nginx: EVALSHA on a real redis-server.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use File::Basename qw(dirname);
use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Redis qw(redis_start user_id);
use ProxyUser::Token qw(handle_digest);

my $ISSUER = 'https://idp.example.com';

my $server = redis_start();
my $sha = do {
    local @ARGV = sort glob(dirname(__FILE__) . '/../src/core/change/*.lua');
    local $/;
    $server->command('SCRIPT', 'LOAD', join '', <>);
};


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


sub redis { $server->command(@_) }

sub script { redis('EVALSHA', $sha, 1, '{pu}:log', @_) }

sub fresh { redis('FLUSHALL') }

sub refused { my @call = @_; eval { script(@call); 1 } ? '' : $@ }

sub digest { length $_[0] ? encode_base64url(sha256($_[0])) : '' }

sub handle { 'sub:' . handle_digest($_[0], $ISSUER) }

sub group_id { 'g_' . substr(user_id($_[0]), 2) }

sub user { redis('HGET', '{pu}:user:' . $_[0], $_[1]) }

sub group { redis('HGET', '{pu}:group:' . $_[0], $_[1]) }

sub members { redis('ZRANGE', '{pu}:members:' . $_[0], 0, -1) }

sub entries { redis('XLEN', '{pu}:log') }

# The last entries, oldest first, as "op user".
sub log_of {
    my $reply = redis('XREVRANGE', '{pu}:log', '+', '-', 'COUNT', $_[0]);
    return [map { my %e = @{ $_->[1] }; join ' ', $e{op}, $e{user} }
            reverse @$reply];
}

# The roles of a user without their times.
sub roles {
    return join ' ', sort map { s/@\d+//r } split / /, user($_[0], 'roles');
}

my @CREATE = qw(id none actor source reason user_name name_digest external_id
                external_digest name type active roles has_scopes scopes
                expires handle issuer subject seen fresh extra);

sub create_args {
    my ($id, $name, %with) = @_;
    my %arg = (id => $id, none => '', actor => 'okta', source => 'scim',
               reason => '', user_name => $name,
               name_digest => digest(lc $name), external_id => '',
               name => $name, type => 'human', active => 1, roles => '',
               has_scopes => 0, scopes => '', expires => '', handle => '',
               issuer => '', subject => '', seen => '', fresh => 'STORE-A',
               extra => '', %with);

    $arg{external_digest} //= digest($arg{external_id});
    return ('user_create', @arg{@CREATE});
}

sub create { script(create_args(@_)) }

my @REPLACE = qw(id version actor source reason user_name name_digest
                 old_name_digest external_id external_digest
                 old_external_digest name type active extra);

sub replace {
    my ($id, %with) = @_;
    my $name = user($id, 'user_name') // '';
    my $external = user($id, 'external_id') // '';
    my %arg = (id => $id, version => '', actor => 'okta', source => 'scim',
               reason => '', user_name => $name,
               old_name_digest => digest(lc $name),
               external_id => $external,
               old_external_digest => digest($external),
               name => user($id, 'name'), type => '', active => '',
               extra => user($id, 'extra') // '', %with);

    $arg{name_digest} //= digest(lc $arg{user_name});
    $arg{external_digest} //= digest($arg{external_id});
    return script('user_replace', @arg{@REPLACE});
}

sub change {
    my ($op, $id, $source, @rest) = @_;
    return script($op, $id, '', 'root', $source, '', @rest);
}

sub make_group {
    my ($id, $roles, @users) = @_;
    return script('group_create', $id, '', 'okta', 'scim', '', "Group $id",
                  '', $roles, join(' ', @users), '');
}

sub change_group {
    my ($id, %with) = @_;

    return script('group_change', $id, $with{version} // '', 'okta', 'scim',
                  '', $with{name} // group($id, 'display_name'), '',
                  $with{roles} // group($id, 'roles'),
                  join(' ', @{ $with{add} // [] }), $with{extra} // '',
                  join(' ', @{ $with{remove} // [] }));
}

sub walk { script('group_walk', $_[0], '', 'okta', 'scim', '', $_[1] // '') }

sub delete_group { script('group_delete', $_[0], '', 'okta', 'scim', '') }

sub dump_all {
    my %all;

    for my $key (@{ redis('KEYS', '*') }) {
        $all{$key} = content($key);
    }

    return \%all;
}

# A hash or set that grows is put in another order between two commands.
sub content {
    my ($key) = @_;

    my $type = redis('TYPE', $key);
    return { @{ redis('HGETALL', $key) } } if $type eq 'hash';
    return [ sort @{ redis('SMEMBERS', $key) } ] if $type eq 'set';
    return redis('DUMP', $key);
}

sub leaves_all {
    my ($what, $call) = @_;
    my $before = dump_all();

    my $reply = $call->();
    is_deeply(dump_all(), $before, "$what: nothing was written");
    return $reply;
}

my ($A, $B, $C) = map { user_id($_) } 1 .. 3;
my ($G, $H) = map { group_id($_) } 1, 2;


subtest 'a user before the first token' => sub {
    fresh();

    my $reply = create($A, 'Ada@example.com', external_id => 'e-1',
                       extra => '{"title":"Dr"}', name => 'Ada');
    is($reply->[0], 'done', 'done');
    is($reply->[2], user($A, 'created'), 'says when');

    my %user = @{ redis('HGETALL', "{pu}:user:$A") };
    is($user{$_->[0]}, $_->[1], "$_->[0]")
        for ['user_name', 'Ada@example.com'], ['external_id', 'e-1'],
            ['name', 'Ada'], ['state', 'active'], ['source', 'scim'],
            ['extra', '{"title":"Dr"}'], ['version', 1], ['roles', ''];
    ok(!exists $user{scopes}, 'no cap on scopes');
    is(redis('GET', '{pu}:name:' . digest('ada@example.com')), $A, 'by name');
    is(redis('GET', '{pu}:external:' . digest('e-1')), $A, 'by external id');
    is(redis('ZSCORE', '{pu}:users', $A), $user{created}, 'in the index');
    is(redis('HGET', '{pu}:meta', 'store'), 'STORE-A', 'the store has an id');
    is_deeply(log_of(9), ["create $A"], 'one entry');

    my $again = leaves_all('again', sub { create($A, 'Ada@example.com') });
    is_deeply($again, $reply, 'a lost answer is asked for again');

    my $taken = leaves_all('taken', sub { create($B, 'ADA@EXAMPLE.COM') });
    is_deeply($taken, ['refused', 0, 'user_name'], 'in capitals it is taken');

    my $foreign = leaves_all('foreign', sub {
        create($B, 'bob', seen => 'STORE-B');
    });
    is_deeply($foreign, ['refused', 0, 'foreign'], 'another store');
};


subtest 'what an administrator may say' => sub {
    fresh();

    is(create($A, 'svc', type => 'service', roles => 'reader writer',
              has_scopes => 1, scopes => 'a b', expires => 2000000000,
              source => 'cli', handle => handle('s'), issuer => $ISSUER,
              subject => 's')->[0], 'done', 'done');
    is(user($A, 'type'), 'service', 'type');
    is(roles($A), 'reader writer', 'roles');
    is(user($A, 'scopes'), 'a b', 'scopes');
    is(user($A, 'expires'), 2000000000, 'its end');
    is(user($A, 'epoch'), 0, 'no epoch');

    my $found = script('lookup', handle('s'));
    is($found->[0], 'found', 'its handle');
    is($found->[4][0], $A, 'is its own');
    is($found->[4][1], substr(handle('s'), 0, 20), 'with a public id');

    my $taken = leaves_all('handle', sub {
        create($B, 'other', handle => handle('s'), issuer => $ISSUER,
               subject => 's');
    });
    is_deeply($taken, ['refused', 0, 'handle'], 'somebody has it');

    my $role = leaves_all('role', sub { create($B, 'o', roles => 'a b=1') });
    is_deeply($role, ['refused', 0, 'role'], 'no role');

    change('delete', $A, 'cli', digest('svc'), '');
    is(create($B, 'svc', handle => handle('s'), issuer => $ISSUER,
              subject => 's')->[0], 'done', 'of somebody deleted');
    is(script('lookup', handle('s'))->[4][0], $B, 'it has moved');
    cmp_ok(user($B, 'epoch'), '>', 1e9, 'no token of before counts');
    is_deeply(redis('SMEMBERS', "{pu}:handles:$A"), [], 'out of the old set');
    is_deeply(redis('SMEMBERS', "{pu}:handles:$B"), [handle('s')], 'in one');
};


subtest 'a user is replaced' => sub {
    fresh();
    create($A, 'ada', external_id => 'e-1');
    create($B, 'bob', external_id => 'e-2');

    my $same = leaves_all('the same', sub { replace($A) });
    is_deeply($same, ['unchanged', 1, ''], 'unchanged');

    is_deeply(replace($A, user_name => 'Eve', version => 1),
              ['done', 2, ''], 'renamed');
    is(redis('EXISTS', '{pu}:name:' . digest('ada')), 0, 'the old is free');
    is(redis('GET', '{pu}:name:' . digest('eve')), $A, 'the new is taken');
    is_deeply(log_of(1), ["update $A"], 'update');

    my $old = leaves_all('old', sub { replace($A, name => 'x',
                                              version => 1) });
    is_deeply($old, ['conflict', 2, ''], 'another version');

    my $taken = leaves_all('taken', sub { replace($A, user_name => 'BOB') });
    is_deeply($taken, ['refused', 2, 'user_name'], 'taken');

    replace($A, external_id => '');
    is(redis('EXISTS', '{pu}:external:' . digest('e-1')), 0, 'given up');
    is(user($A, 'external_id'), '', 'and cleared');

    my $gone = leaves_all('gone', sub {
        script('user_replace', $C, '', 'o', 'scim', '', ('') x 10);
    });
    is_deeply($gone, ['not_found', 0, ''], 'nobody');
};


subtest 'one external id of two people finds neither' => sub {
    fresh();
    create($A, 'ada', external_id => 'e-1');
    is(create($B, 'bob', external_id => 'e-1')->[0], 'done', 'accepted');
    is(redis('GET', '{pu}:external:' . digest('e-1')), '*', 'marked');
    is(script('scim_user', 'external', digest('e-1'))->[0], 'many', 'many');
    is(script('scim_user', 'external', digest('e-9'))->[0], 'none', 'none');
};


subtest 'active, and who suspended' => sub {
    fresh();
    create($A, 'ada');

    is_deeply(replace($A, active => 0), ['done', 2, ''], 'off');
    is(user($A, 'state'), 'suspended', 'suspended');
    is(user($A, 'suspended_by'), 'scim', 'by whom');
    is_deeply(log_of(1), ["suspend $A"], 'suspend');
    leaves_all('off again', sub { replace($A, active => 0) });
    leaves_all('nothing said', sub { replace($A) });

    is_deeply(replace($A, active => 1, name => 'Eve'), ['done', 3, ''], 'on');
    is(user($A, 'state'), 'active', 'active');
    is_deeply(log_of(1), ["resume $A"], 'resume');

    change('suspend', $A, 'cli');
    leaves_all('not its own', sub { replace($A, active => 1) });
    is(user($A, 'state'), 'suspended', 'the command\'s stays');

    replace($A, active => 0);
    is(user($A, 'suspended_by'), 'cli scim', 'both');
    replace($A, active => 1);
    is(user($A, 'suspended_by'), 'cli', 'only its own is taken back');
    is(user($A, 'state'), 'suspended', 'still');

    is(create($B, 'bob', active => 0)->[0], 'done', 'made suspended');
    is(user($B, 'state'), 'suspended', 'is suspended');
};


subtest 'the deleted are out of the index of the living' => sub {
    fresh();
    create($A, 'ada');
    create($B, 'bob');
    make_group($G, 'reader', $A, $B);

    is(script('scim_users', 0, 10)->[1], 2, 'two');
    change('delete', $A, 'scim', digest('ada'), '');

    my $page = script('scim_users', 0, 10);
    is($page->[1], 1, 'one');
    is($page->[3], $B, 'who is not deleted');
    is(script('scim_user', 'id', $A)->[0], 'none', 'not to be found');

    for my $state ('ACTIVE', '', 'x' x 90000) {
        redis('HSET', "{pu}:user:$B", 'state', $state);
        is(script('scim_user', 'id', $B)->[0], 'unreadable',
           'who is in no state is no stranger');
        is(@{ script('scim_users', 0, 10) }, 3, 'and in no list');
    }
    redis('HSET', "{pu}:user:$B", 'state', 'active');
    cmp_ok(redis('ZSCORE', '{pu}:users', $A), '<', 0, 'but remembered');
    is_deeply(members($G), [$B], 'no member any more');
    is(group($G, 'version'), 2, 'which is another version of the group');
    is(user($A, 'roles'), '', 'no roles');
    ok(!defined user($A, $_), "no $_") for qw(groups scim_roles);
    is(create($C, 'ADA')->[0], 'done', 'the name is free');
};


subtest 'a group gives roles' => sub {
    fresh();
    create($A, 'ada');
    create($B, 'bob');

    is_deeply(make_group($G, 'editor reader', $A, user_id(9)),
              ['done', 1, ''], 'made; who is nobody is passed over');
    is_deeply(members($G), [$A], 'one member');
    is(roles($A), 'editor reader', 'has its roles');
    is(user($A, 'groups'), $G, 'and the group');
    is_deeply(log_of(9), ["create $A", "create $B", "grant $A", 'create '],
              'entries');
    like(user($A, 'roles'), qr/^editor\@\d+ reader\@\d+$/, 'grants');

    leaves_all('again', sub { change_group($G, add => [$A]) });
    leaves_all('not one', sub { change_group($G, remove => [$B, $C]) });

    is_deeply(change_group($G, add => [$B], remove => [$A]),
              ['done', 2, ''], 'one goes, one comes');
    is(roles($A), '', 'taken');
    is(user($A, 'groups'), '', 'no group');
    is(roles($B), 'editor reader', 'given');
    is_deeply(log_of(2), ["ungrant $A", "grant $B"], 'an entry each');

    my $old = leaves_all('old', sub { change_group($G, version => 1,
                                                   add => [$A]) });
    is_deeply($old, ['conflict', 2, ''], 'another version');

    is_deeply(delete_group($G), ['done', 3, ''], 'deleted');
    is(roles($B), '', 'and taken');
    is(redis('EXISTS', "{pu}:group:$G", "{pu}:members:$G"), 0, 'no key left');
    is_deeply(delete_group($G), ['not_found', 0, ''], 'once only');
};


subtest 'a role of two groups stays until both are gone' => sub {
    fresh();
    create($A, 'ada');
    make_group($G, 'editor', $A);
    make_group($H, 'editor reader', $A);
    is(roles($A), 'editor reader', 'both');

    change_group($G, remove => [$A]);
    is(roles($A), 'editor reader', 'the other still gives it');

    change_group($H, remove => [$A]);
    is(roles($A), '', 'nobody does');
};


subtest 'what the command gave is not taken by a group' => sub {
    fresh();
    create($A, 'ada');
    change('grant', $A, 'cli', 'editor', 0);
    make_group($G, 'editor', $A);
    is(roles($A), 'editor editor', 'two grants of one role');
    change_group($G, remove => [$A]);
    is(roles($A), 'editor', 'the command\'s');

    change_group($G, add => [$A]);
    change('grant', $A, 'cli', 'editor', 60);
    is(roles($A) =~ s/=\d+/=T/r, 'editor editor=T', 'for a while, and always');
    change_group($G, remove => [$A]);
    is(roles($A) =~ s/=\d+/=T/r, 'editor=T', 'for a while');

    change_group($G, add => [$A]);
    change('ungrant', $A, 'cli', 'editor');
    is(roles($A), '', 'who takes it away takes it whole');
    is(user($A, 'scim_roles'), '', 'from both');
    leaves_all('still a member', sub { change_group($G, add => [$A]) });
    change_group($G, remove => [$A]);
    change_group($G, add => [$A]);
    is(roles($A), 'editor', 'made a member again');
};


subtest 'a group that gives something else' => sub {
    fresh();
    my @ids = map { user_id($_) } 1 .. 320;

    create($ids[$_], "user-$_") for 0 .. $#ids;
    make_group($G, 'old both', @ids[0 .. 149]);
    change_group($G, add => [@ids[150 .. 299]]);
    change_group($G, add => [@ids[300 .. 319]]);
    make_group($H, 'old', $ids[7]);
    is(redis('ZCARD', "{pu}:members:$G"), 320, 'members');

    my $reply = change_group($G, name => 'Other', roles => 'both new');
    is($reply->[2], 'walk', 'the members are still to be seen');
    is(roles($ids[5]), 'both old', 'as before');
    is(group($G, 'was'), 'old both new', 'what was given, and is');

    my ($after, $walks) = ('', 0);

    do {
        $after = walk($G, $after)->[2];
        $walks++;
    } while (length $after && $walks < 10);

    is($walks, 3, 'three walks');
    is(scalar(grep { roles($ids[$_]) ne 'both new' } 0 .. 6, 8 .. 319), 0,
       'everybody has the new ones');
    is(roles($ids[7]), 'both new old', 'one has the old one elsewhere');
    is(group($G, 'was'), undef, 'all seen');

    my $calls = 0;
    my $more;

    do { $more = delete_group($G)->[2]; $calls++ } while ($more eq 'more'
                                                          && $calls < 10);
    is($calls, 3, 'deleted in three');
    is(scalar(grep { roles($ids[$_]) ne '' } 0 .. 6, 8 .. 319), 0, 'taken');
};


subtest 'a group that gave nothing' => sub {
    fresh();
    create($A, 'ada');
    make_group($G, '', $A);
    is(change_group($G, roles => 'new')->[2], 'walk', 'is walked too');
    walk($G);
    is(roles($A), 'new', 'when it gives something');
    is(change_group($G, roles => '')->[2], 'walk', 'and back');
    walk($G);
    is(roles($A), '', 'when it does not');
};


subtest 'a walk that was broken off is asked for again' => sub {
    fresh();
    create($A, 'ada');
    make_group($G, 'old', $A);
    change_group($G, roles => 'new');
    is(leaves_all('again', sub { change_group($G) })->[2], 'walk', 'said');
    change_group($G, remove => [$A]);
    is(roles($A), '', 'what it was given is taken all the same');
};


subtest 'nobody is given too much' => sub {
    fresh();
    create($A, 'ada', roles => join(' ', map { "r$_" } 1 .. 250));
    my $full = leaves_all('full', sub {
        make_group($G, join(' ', map { "more-$_" } 1 .. 7), $A);
    });
    is_deeply($full, ['refused', 0, 'full'], 'too many roles');
};


subtest 'pages' => sub {
    fresh();
    my @ids = map { user_id($_) } 1 .. 30;

    create($ids[$_], "user-$_", extra => '{}') for 0 .. 29;

    my $page = script('scim_users', 10, 10);
    is_deeply([@$page[0 .. 2]], ['found', 30, 20], 'the middle one');
    is(@$page, 23, 'ten users');
    is_deeply([@$page[0 .. 2]], ['found', 30, 5], 'past five, none')
        for $page = script('scim_users', 5, 0);
    is_deeply(script('scim_users', 99, 10), ['found', 30, 99], 'beyond');

    redis('HSET', "{pu}:user:$ids[3]", 'extra', 'x' x 90000);
    is(scalar(@{ script('scim_users', 0, 30) }), 61, 'too large: left out');

    redis('HSET', "{pu}:user:$_", 'extra', 'x' x 60000) for @ids;
    $page = script('scim_users', 0, 30);
    cmp_ok($page->[2], '<', 20, 'a page ends when it is heavy');

    make_group($G, '', @ids);
    my $some = script('scim_members', $G, '', 10);
    is(@$some, 12, 'ten members');
    my $rest = script('scim_members', $G, $some->[1], 20);
    is(@$rest, 22, 'twenty more');
    is_deeply(script('scim_members', $G, $rest->[1], 20), ['found', ''],
              'no more') if length $rest->[1];
};


subtest 'what is no call of it' => sub {
    fresh();

    my @bad = (
        ['no name', create_args($A, '')],
        ['no digest', create_args($A, 'ada', name_digest => '')],
        ['an id', create_args('u_1', 'ada')],
        ['a type', create_args($A, 'ada', type => 'robot')],
        ['a state', create_args($A, 'ada', active => 2)],
        ['extra', create_args($A, 'ada', extra => 'x' x 65537)],
        ['long', create_args($A, 'a' x 1025)],
        ['a group', 'group_create', 'g_1', '', 'a', 's', '', 'G', '', '', '',
         ''],
        ['no display name', 'group_create', $G, '', 'a', 's', '', '', '', '',
         '', ''],
        ['a role', 'group_create', $G, '', 'a', 's', '', 'G', '', 'A B', '',
         ''],
        ['members', 'group_create', $G, '', 'a', 's', '', 'G', '', '',
         join(' ', ('x') x 151), ''],
        ['a page', 'scim_users', 0, 1001],
        ['a number', 'scim_users', -1, 10],
        ['a find', 'scim_user', 'mail', 'x'],
        ['an id to find', 'scim_user', 'id', 'x'],
    );

    for my $bad (@bad) {
        my ($what, @call) = @$bad;
        leaves_all($what, sub {
            like(refused(@call), qr/ERR change\.lua: (?:not|an argument)/, "$what refused");
        });
    }

    for my $key ('{pu}:name:' . digest('ada'), "{pu}:user:$A", '{pu}:users',
                 '{pu}:log')
    {
        fresh();
        redis('RPUSH', $key, 'x');
        my $reply = leaves_all($key, sub {
            eval { create($A, 'ada') } // ['unreadable'];
        });
        is($reply->[0], 'unreadable', "$key of another type");
    }
};


done_testing();
