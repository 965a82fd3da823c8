# The script, the one writer: what it makes, what it refuses, and that a
# refusal leaves nothing behind. No nginx and no command: EVALSHA on a real
# redis-server.

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Redis qw(redis_start user_id);
use ProxyUser::Token qw(handle_digest);

my $ISSUER = 'https://idp.example.com';
my @HANDLE = qw(user id state not_before expires roles scopes networks);
my @USER = qw(name type state issuer subject roles scopes epoch expires
              version);

my %read = (
    string => ['GET'],
    hash => ['HGETALL'],
    set => ['SMEMBERS'],
    list => ['LRANGE', 0, -1],
    zset => ['ZRANGE', 0, -1, 'WITHSCORES'],
    stream => ['XRANGE', '-', '+'],
);

my $server = redis_start();
my $sha = load();


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


sub load {
    return redis('SCRIPT', 'LOAD', script_text());
}


# As it is embedded: the parts in the order of their names.
sub script_text {
    local @ARGV = sort glob(dirname(__FILE__) . '/../src/core/change/*.lua');

    return join '', <>;
}


sub redis { $server->command(@_) }

sub script { redis('EVALSHA', $sha, 1, '{pu}:log', @_) }

sub fresh { redis('FLUSHALL') }

# The error of a call, empty if there is none.
sub refused { my @call = @_; eval { script(@call); 1 } ? '' : $@ }

sub handle { 'sub:' . handle_digest($_[0], $ISSUER) }

sub lookup { script('lookup', handle($_[0])) }

sub provision {
    my ($sub, %with) = @_;

    return script('provision', handle($sub), $with{id} // user_id(1), $ISSUER,
                  $sub, $with{name} // "Name of $sub", $with{type} // 'human',
                  $with{seen} // '', $with{fresh} // 'STORE-A',
                  $with{jti} // '');
}

sub change {
    my ($op, $id, @rest) = @_;
    my %with = ref $rest[-1] ? %{ pop @rest } : ();

    push @rest, '', '' if $op eq 'delete' && !@rest;
    return script($op, $id, $with{version} // '', $with{actor} // 'root',
                  $with{source} // 'cli', $with{reason} // '', @rest);
}

sub user { redis('HGET', '{pu}:user:' . $_[0], $_[1]) }

sub user_set { redis('HSET', '{pu}:user:' . shift, @_) }

# The newest entry as its words in order.
sub newest {
    my $reply = redis('XREVRANGE', '{pu}:log', '+', '-', 'COUNT', 1);
    return $reply->[0] ? $reply->[0][1] : undef;
}

sub entries { redis('XLEN', '{pu}:log') }

# Everything there is, to see that nothing has changed.
sub everything {
    my %all;

    for my $key (@{ redis('KEYS', '*') }) {
        my $type = redis('TYPE', $key);
        my $value = redis(@{ $read{$type} }[0], $key,
                          @{ $read{$type} }[1 .. $#{ $read{$type} }]);

        $value = { @$value } if $type eq 'hash';
        $value = [sort @$value] if $type eq 'set';
        $all{$key} = [$type, $value];
    }

    return \%all;
}

# A call that must leave everything as it was.
sub leaves_all {
    my ($what, $call) = @_;
    my $before = everything();

    my $reply = $call->();
    is_deeply(everything(), $before, "$what: nothing was written");
    return $reply;
}


subtest 'a handle nobody has' => sub {
    fresh();

    my $reply = leaves_all('look-up', sub { lookup('alice') });
    is_deeply($reply, ['none', undef, undef, 0, [], []], 'none');
};


subtest 'a first token makes its user' => sub {
    fresh();

    my $before = redis('TIME')->[0];
    my $reply = provision('alice');
    my $id = user_id(1);

    is($reply->[0], 'found', 'found');
    is($reply->[1], 'STORE-A', 'its store');
    is($reply->[2], undef, 'nobody has accepted it');
    is($reply->[3], 1, 'made now');
    is_deeply($reply->[4], [$id, substr(handle('alice'), 0, 20), 'active',
                            (undef) x 5], 'its handle, with a public id');
    is_deeply($reply->[5], ['Name of alice', 'human', 'active', $ISSUER,
                            'alice', '', undef, '0', undef, '1'], 'its user');

    my %user = @{ redis('HGETALL', "{pu}:user:$id") };
    cmp_ok($user{created}, '>=', $before, "created by Redis's clock");
    is($user{modified}, $user{created}, 'modified then');
    is($user{source}, 'jit', 'source');
    ok(!exists $user{scopes}, 'no cap on scopes');
    ok(!exists $user{expires}, 'no end');

    is_deeply(redis('SMEMBERS', "{pu}:handles:$id"), [handle('alice')],
              'the set of its handles');
    is(redis('ZSCORE', '{pu}:users', $id), $user{created}, 'the index');
    is_deeply({ @{ redis('HGETALL', '{pu}:meta') } },
              { store => 'STORE-A', schema => 1 }, 'the store id');
    is_deeply(newest(), [op => 'create', user => $id,
                         handle => handle('alice'), version => 1,
                         actor => 'token', source => 'jit', reason => ''],
              'one log entry, its fields in order');
    is(entries(), 1, 'one only');
};


subtest 'a revoked token makes nobody' => sub {
    my ($jti, $other) = ('j' x 43, 'k' x 43);

    fresh();
    redis('SET', "{pu}:jti:$jti", 'revoked', 'EX', 100);
    is_deeply(leaves_all('revoked', sub { provision('alice', jti => $jti) }),
              ['revoked', undef, undef, 0, [], []], 'says so');

    is(provision('alice', jti => $other)->[3], 1, 'another token does');
    is(leaves_all('known', sub { provision('alice', jti => $jti) })->[0],
       'found', 'who is there is found: the token is not the user');

    redis('DEL', "{pu}:jti:$jti");
    is(provision('bob', id => user_id(2), jti => $jti)->[3], 1,
       'what is revoked no longer');

    redis('RPUSH', "{pu}:jti:$jti", 'x');
    is(leaves_all('unreadable', sub {
        provision('carol', id => user_id(3), jti => $jti) })->[0],
       'unreadable', 'a key of another type');
};


subtest 'of two first tokens the second gets the first one\'s user' => sub {
    fresh();
    provision('alice');

    my $reply = leaves_all('second token', sub {
        provision('alice', id => user_id(2), name => 'Other', fresh => 'B');
    });

    is($reply->[3], 0, 'not made now');
    is($reply->[4][0], user_id(1), "the first one's user");
    is($reply->[5][0], 'Name of alice', 'its name');
    is_deeply(lookup('alice'), $reply, 'exactly as a look-up');
};


subtest 'another subject is another user in the same store' => sub {
    fresh();
    provision('alice');

    my $reply = provision('bob', id => user_id(2), fresh => 'STORE-B',
                          type => 'service');
    is($reply->[1], 'STORE-A', 'the store keeps its id');
    is($reply->[5][1], 'service', 'type');
    is(redis('ZCARD', '{pu}:users'), 2, 'two users');
};


subtest 'a store that is not the one seen' => sub {
    fresh();

    my $reply = leaves_all('empty store', sub {
        provision('alice', seen => 'STORE-A');
    });
    is_deeply($reply, ['foreign', undef, undef, 0, [], []], 'lost data');

    provision('bob', id => user_id(2), fresh => 'STORE-B');

    $reply = leaves_all('other store', sub {
        provision('alice', seen => 'STORE-A');
    });
    is($reply->[0], 'foreign', 'replaced data');
    is($reply->[1], 'STORE-B', 'which store it is');

    is(provision('bob', seen => 'STORE-A')->[0], 'found',
       'a user who is there is found all the same');
    is(provision('alice', seen => 'STORE-B')->[0], 'found',
       'the store that was seen');

    redis('HSET', '{pu}:meta', accepted => 'STORE-A');
    is(provision('carol', id => user_id(3), seen => 'STORE-A')->[0],
       'foreign', 'another store was accepted, not this one');

    redis('HSET', '{pu}:meta', accepted => 'STORE-B');
    $reply = provision('carol', id => user_id(3), seen => 'STORE-A');
    is($reply->[0], 'found', 'accepted');
    is($reply->[2], 'STORE-B', 'and says so');
};


subtest 'accept_store' => sub {
    fresh();

    is_deeply(script('accept_store', 'NEW', '', 'root', 'cli', 'why'),
              ['done', 0, 'NEW'], 'an empty Redis gets an id');
    is_deeply({ @{ redis('HGETALL', '{pu}:meta') } },
              { store => 'NEW', accepted => 'NEW', schema => 1 }, 'meta');
    is_deeply(newest(), [op => 'update', user => '', handle => '',
                         version => 0, actor => 'root', source => 'cli',
                         reason => 'why'], 'log');

    is_deeply(leaves_all('again', sub {
        script('accept_store', 'OTHER', '', 'root', 'cli', '')
    }), ['unchanged', 0, 'NEW'], 'once is enough');

    redis('HSET', '{pu}:meta', store => 'RESTORED');
    is_deeply(script('accept_store', 'OTHER', '', 'root', 'cli', ''),
              ['done', 0, 'RESTORED'], 'a store with an id keeps it');

    redis('DEL', '{pu}:meta');
    redis('SET', '{pu}:meta', 'x');
    is_deeply(leaves_all('meta is a string', sub {
        script('accept_store', 'OTHER', '', 'root', 'cli', '')
    }), ['unreadable', 0, 'meta'], 'refused');
};


subtest 'the first change names the store' => sub {
    fresh();
    my ($id, $other) = (user_id(1), user_id(2));
    user_set($_, state => 'active') for $id, $other;

    is(change('suspend', $id)->[0], 'done', 'a user somebody wrote by hand');
    my %meta = @{ redis('HGETALL', '{pu}:meta') };
    like($meta{store}, qr/^[A-Za-z0-9_-]{22,64}$/, 'the store has an id');
    is($meta{schema}, 1, 'and a schema');

    change('suspend', $other);
    is(redis('HGET', '{pu}:meta', 'store'), $meta{store}, 'which it keeps');

    fresh();
    user_set($id, state => 'active');
    change('suspend', $id);
    isnt(redis('HGET', '{pu}:meta', 'store'), $meta{store},
         'an emptied one gets another');

    fresh();
    user_set($id, state => 'active');
    redis('SET', '{pu}:meta', 'x');
    is(change('suspend', $id)->[0], 'done', 'nobody stays for its sake');
    is(redis('GET', '{pu}:meta'), 'x', 'what is no hash is left alone');
};


subtest 'suspend and resume' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    is_deeply(change('suspend', $id, { reason => 'lost laptop' }),
              ['done', 2, ''], 'suspended');
    is(user($id, 'state'), 'suspended', 'state');
    is(user($id, 'suspended_by'), 'cli', 'by whom');
    is(user($id, 'version'), 2, 'version');
    is_deeply(newest(), [op => 'suspend', user => $id, handle => '',
                         version => 2, actor => 'root', source => 'cli',
                         reason => 'lost laptop'], 'log');

    is_deeply(leaves_all('again', sub { change('suspend', $id) }),
              ['unchanged', 2, ''], 'once is enough');

    is_deeply(change('suspend', $id, { source => 'scim' }), ['done', 3, ''],
              'by somebody else as well');
    is(user($id, 'suspended_by'), 'cli scim', 'both are kept');

    is_deeply(change('resume', $id, { source => 'scim' }), ['done', 4, ''],
              'SCIM takes back its own');
    is(user($id, 'state'), 'suspended', 'and no other');
    is((newest())->[1], 'update', 'which is no resume');
    is_deeply(leaves_all('again', sub {
        change('resume', $id, { source => 'scim' })
    }), ['unchanged', 4, ''], 'nothing left to take back');

    change('suspend', $id, { source => 'events' });
    is_deeply(change('resume', $id), ['done', 6, ''], 'the command resumes');
    is(user($id, 'state'), 'active', 'state');
    is(user($id, 'suspended_by'), '', 'nobody');
    is((newest())->[1], 'resume', 'log');

    is_deeply(leaves_all('again', sub { change('resume', $id) }),
              ['unchanged', 6, ''], 'active already');
};


subtest 'expected versions' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    for my $wrong ('0', '2', '01', '1.0', 'x') {
        is_deeply(leaves_all("version $wrong", sub {
            change('grant', $id, 'admin', 0, { version => $wrong })
        }), ['conflict', 1, ''], 'conflict');
    }

    is(change('grant', $id, 'admin', 0, { version => 1 })->[0], 'done',
       'the right one');
    is(change('suspend', $id)->[0], 'done', 'none is unconditional');
};


subtest 'grants' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    is_deeply(change('grant', $id, 'admin', 0), ['done', 2, ''], 'granted');
    like(user($id, 'roles'), qr/^admin\@\d{10}$/, 'with its time');

    change('grant', $id, 'team:a/b.c-d_E', 1800);
    my $now = redis('TIME')->[0];
    like(user($id, 'roles'), qr/^admin\@\d+ team:a\/b.c-d_E\@(\d+)=(\d+)$/,
         'with its end');
    user($id, 'roles') =~ /\@(\d+)=(\d+)$/;
    is($2 - $1, 1800, 'so long');
    cmp_ok(abs($1 - $now), '<=', 2, "by Redis's clock");

    change('grant', $id, 'admin', 60);
    like(user($id, 'roles'), qr/^team\S+ admin\@\d+=\d+$/, 'anew');

    is_deeply(change('ungrant', $id, 'team:a/b.c-d_E'), ['done', 5, ''],
              'taken away');
    is_deeply(leaves_all('again', sub { change('ungrant', $id, 'team') }),
              ['unchanged', 5, ''], 'not there');
    like(user($id, 'roles'), qr/^admin\@/, 'the other stays');

    for my $bad ('', 'ADMIN', 'GET', 'a b', 'a@1', 'a=1', "a\n", 'x' x 65,
                 "r\xc3\xb6le", '-_.') {
        is_deeply(leaves_all("role '$bad'", sub {
            change('grant', $id, $bad, 0)
        }), ['refused', 5, 'role'], 'refused');
    }

    for my $bad ('-1', '1.5', 'x', '', '1e3', '9' x 16) {
        is(leaves_all("end '$bad'", sub {
            change('grant', $id, 'good', $bad)
        })->[0], 'refused', 'refused');
    }
};


subtest 'a user can have so many roles and no more' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    user_set($id, roles => join ' ', map { "r$_\@1" } 1 .. 256);
    is_deeply(leaves_all('one more', sub { change('grant', $id, 'x', 0) }),
              ['refused', 1, 'full'], 'too many');
    is(change('grant', $id, 'r7', 0)->[0], 'done', 'one of them anew');

    user_set($id, roles => join ' ', map { 'r' x 60 . $_ } 1 .. 64);
    is_deeply(leaves_all('too long', sub {
        change('grant', $id, 'x' x 64, 0)
    }), ['refused', 2, 'full'], 'too long');

    user_set($id, roles => '');
    is(change('grant', $id, sprintf('role-%03d', $_), 0)->[0], 'done',
       "role $_") for 1 .. 100;
    is(lookup('alice')->[0], 'found', 'and it can still be looked up');

    user_set($id, roles => 'a', scopes => 's' x 4090, name => 'n' x 2000);
    is(change('grant', $id, 'x', 0)->[2], 'full', 'no room in the record');
};


subtest 'revoke' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    my $before = redis('TIME')->[0];
    is_deeply(change('revoke', $id), ['done', 2, ''], 'revoked');
    cmp_ok(user($id, 'epoch'), '>=', $before, "Redis's time");
    cmp_ok(user($id, 'epoch'), '<=', redis('TIME')->[0], 'and not later');

    user_set($id, epoch => 9999999999);
    is(change('revoke', $id)->[1], 3, 'always a change');
    is(user($id, 'epoch'), 9999999999, 'never back');
};


subtest 'delete' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);
    my ($key, $cert) = ('key:' . 'k' x 43, 'cert:' . 'c' x 43);
    my $foreign = 'key:' . 'f' x 43;

    change('grant', $id, 'admin', 0);
    change('suspend', $id);
    user_set($id, scopes => 'read', user_name => 'alice',
             external_id => 'x1');
    redis('HSET', "{pu}:handle:$_", user => $id, state => 'active')
        for $key, $cert;
    redis('HSET', "{pu}:handle:$foreign", user => user_id(2),
          state => 'active');
    redis('SADD', "{pu}:handles:$id", $key, $cert, $foreign, 'nonsense',
          'key:../../x');
    redis('SET', '{pu}:name:NAME', $id);
    redis('SET', '{pu}:external:EXT', user_id(2));

    is_deeply(change('delete', $id, 'NAME', 'EXT'), ['done', 4, ''],
              'deleted');
    is(user($id, 'state'), 'deleted', 'state');
    is(user($id, 'roles'), '', 'no roles');
    is(user($id, 'scopes'), undef, 'no scopes');
    is(user($id, 'suspended_by'), undef, 'not suspended any more');
    is(redis('EXISTS', "{pu}:handle:$key", "{pu}:handle:$cert"), 0,
       'keys and certificates are gone');
    is(redis('EXISTS', "{pu}:handle:$foreign"), 1,
       "somebody else's key is not");
    is_deeply([sort @{ redis('SMEMBERS', "{pu}:handles:$id") }],
              [sort(handle('alice'), 'nonsense', 'key:../../x')],
              'the sub handle stays');
    is(lookup('alice')->[5][2], 'deleted', 'and leads to the deleted user');
    is(provision('alice', id => user_id(9))->[4][0], $id,
       'a token makes no new account');
    is(redis('EXISTS', '{pu}:name:NAME'), 0, 'the name is free again');
    is(redis('EXISTS', '{pu}:external:EXT'), 1,
       "somebody else's external id is kept");
    is(redis('ZSCORE', '{pu}:users', $id) < 0, 1,
       'still in the index, apart from the living');
    is((newest())->[1], 'delete', 'log');

    for my $op (['suspend'], ['resume'], ['grant', 'admin', 0]) {
        my ($word, @rest) = @$op;
        is_deeply(leaves_all($word, sub { change($word, $id, @rest) }),
                  ['refused', 4, 'deleted'], "$word is refused");
    }

    is_deeply(leaves_all('again', sub { change('delete', $id) }),
              ['unchanged', 4, ''], 'deleted already');
    is(change('revoke', $id)->[0], 'done', 'revoke is unconditional');
};


subtest 'too many handles to delete at once' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    for my $part (0 .. 10) {
        redis('SADD', "{pu}:handles:$id",
              map { sprintf 'key:%043d', $part * 1000 + $_ } 1 .. 1000);
    }

    is_deeply(leaves_all('delete', sub { change('delete', $id) }),
              ['refused', 1, 'handles'], 'refused');
    is(change('suspend', $id)->[0], 'done', 'suspend helps');
};


subtest 'nobody by that id' => sub {
    fresh();
    provision('alice');

    for my $id (user_id(7), '', 'alice', 'u_short', user_id(1) . 'x',
                'u_' . '*' x 22, "u_\n" . 'A' x 21) {
        for my $op (qw(suspend resume delete revoke)) {
            is(leaves_all("$op '$id'", sub { change($op, $id) })->[0],
               'not_found', 'not found');
        }
    }
};


subtest 'records edited by hand to nonsense' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);
    my $record = "{pu}:user:$id";
    my $handle = '{pu}:handle:' . handle('alice');

    for my $bad ([$handle, user => 'alice'], [$handle, user => ''],
                 [$handle, user => user_id(8)], [$handle, label => undef],
                 [$handle, scopes => 'x' x 4097],
                 [$record, name => 'x' x 4097],
                 [$record, roles => 'x ' x 3000]) {
        my ($key, $field, $value) = @$bad;

        fresh();
        provision('alice');
        defined $value ? redis('HSET', $key, $field, $value)
                       : redis('HDEL', $key, 'user');

        my $reply = leaves_all("$field", sub { provision('alice') });
        is($reply->[0], 'unreadable', "$field: unreadable");
        is_deeply($reply->[5], [], 'and nothing of it is told');
    }

    for my $type (['SET', 'x'], ['LPUSH', 'x'], ['SADD', 'x'],
                  ['ZADD', 1, 'x']) {
        for my $key ($handle, $record) {
            fresh();
            provision('alice');
            redis('DEL', $key);
            redis($type->[0], $key, @$type[1 .. $#$type]);
            is(leaves_all("$type->[0]", sub { provision('alice') })->[0],
               'unreadable', "$type->[0] $key");
        }
    }

    fresh();
    provision('alice');
    redis('DEL', $record);
    is(leaves_all('user is gone', sub { provision('alice') })->[0],
       'unreadable', 'a handle without its user is no new user');

    fresh();
    provision('alice');
    redis('HSET', $record, unknown => 'x' x 1_000_000);
    is(lookup('alice')->[0], 'found', 'a large field we do not use is fine');
};


subtest 'a broken record can be shut off and nothing else' => sub {
    my $id = user_id(1);

    for my $broken ([state => 'zombie'], [version => 'many'],
                    [epoch => '-5'], [epoch => 'soon']) {
        for my $op (qw(suspend delete revoke)) {
            fresh();
            provision('alice');
            user_set($id, @$broken);
            is(change($op, $id)->[0], 'done', "$op with $broken->[0]");
            like(user($id, 'version'), qr/^[12]$/, 'version');
        }

        for my $op (['resume'], ['grant', 'a', 0], ['ungrant', 'a']) {
            fresh();
            provision('alice');
            user_set($id, @$broken);
            my ($word, @rest) = @$op;
            is(leaves_all($word, sub { change($word, $id, @rest) })->[0],
               'unreadable', "$word with $broken->[0]");
        }
    }

    for my $roles ('ADMIN', 'a@', 'a=x', '@1', 'a@1@2', "a\tb", 'a=1@2') {
        fresh();
        provision('alice');
        user_set($id, roles => $roles);
        is_deeply(leaves_all("roles '$roles'", sub {
            change('grant', $id, 'good', 0)
        }), ['unreadable', 1, 'roles'], 'grant');
        is(change('delete', $id)->[0], 'done', 'delete');
    }
};


subtest 'keys of another type leave nothing half made' => sub {
    my $id = user_id(1);

    for my $bad (["{pu}:user:$id", 'SADD'], ["{pu}:handles:$id", 'SET'],
                 ['{pu}:users', 'SADD'], ['{pu}:meta', 'SET'],
                 ['{pu}:log', 'LPUSH']) {
        my ($key, $command) = @$bad;

        fresh();
        redis($command, $key, 'x');
        is(leaves_all("create: $key", sub { provision('alice') })->[0],
           'unreadable', "create: $key");
    }

    for my $op (['suspend'], ['resume'], ['revoke'], ['delete'],
                ['grant', 'a', 0], ['ungrant', 'a']) {
        my ($word, @rest) = @$op;

        fresh();
        provision('alice');
        redis('DEL', '{pu}:log');
        redis('SET', '{pu}:log', 'x');
        is_deeply(leaves_all("$word: log", sub {
            change($word, $id, @rest)
        }), ['unreadable', 0, 'log'], "$word: log is a string");

        redis('DEL', '{pu}:log', "{pu}:user:$id");
        redis('SET', "{pu}:user:$id", 'x');
        is_deeply(leaves_all("$word: user", sub {
            change($word, $id, @rest)
        }), ['unreadable', 0, 'user'], "$word: user is a string");
    }

    fresh();
    provision('alice');
    redis('DEL', "{pu}:handles:$id");
    redis('SET', "{pu}:handles:$id", 'x');
    is(change('delete', $id)->[0], 'done',
       'without its set of handles a user can still be deleted');
};


subtest 'a log that takes no more entries' => sub {
    my $id = user_id(1);

    fresh();
    provision('alice');
    redis('XADD', '{pu}:log', '18446744073709551615-18446744073709551615',
          x => 1);

    is_deeply(leaves_all('suspend', sub { change('suspend', $id) }),
              ['unreadable', 0, 'log'], 'suspend');
    is(leaves_all('create', sub { provision('bob', id => user_id(2)) })->[0],
       'unreadable', 'create');
    is(lookup('alice')->[0], 'found', 'who is there is found');
};


subtest 'calls that break the contract' => sub {
    fresh();
    provision('alice');

    my $id = user_id(1);
    my @new = (handle('bob'), user_id(2), $ISSUER, 'bob', 'Bob', 'human', '',
               'S', '');
    my $with = sub {
        my ($i, $value) = @_;
        my @call = @new;
        $call[$i] = $value;
        return ['provision', @call];
    };

    for my $call ([], ['nope'], ['LOOKUP', handle('alice')], ['lookup'],
                  ['lookup', handle('alice'), 'x'], ['lookup', ''],
                  ['lookup', 'sub:short'], ['lookup', 'sub:' . 'x' x 44],
                  ['lookup', 'foo:' . 'x' x 43],
                  ['lookup', 'sub:' . '*' x 43], ['lookup', 'x' x 5000],
                  ['suspend', $id], ['suspend', $id, '', 'root', 'cli'],
                  ['grant', $id, '', 'root', 'cli', '', 'admin'],
                  ['suspend', $id, '', 'root', 'cli', 'x' x 4097],
                  ['accept_store', '', '', 'root', 'cli', ''],
                  ['accept_store', 'x' x 65, '', 'root', 'cli', ''],
                  ['token_revoke', 'x' x 42, '', 'root', 'cli', '', 0],
                  ['token_revoke', 'x' x 42 . '}', '', 'root', 'cli', '', 0],
                  ['token_revoke', 'x' x 43, '', 'root', 'cli', '', ''],
                  ['token_revoke', 'x' x 43, '', 'root', 'cli', '', -1],
                  ['token_revoke', 'x' x 43, '', 'root', 'cli', '', '1' x 13],
                  $with->(1, 'alice'), $with->(2, 'i' x 1025),
                  $with->(3, 's' x 256), $with->(4, 'n' x 256),
                  $with->(5, 'robot'), $with->(7, ''), $with->(7, 'x' x 65),
                  $with->(8, 'x' x 42), $with->(8, 'x' x 42 . '}')) {
        leaves_all('contract', sub {
            like(refused(@$call), qr/change\.lua/,
                 substr join(' ', @$call), 0, 60);
        });
    }

    for my $key ('{pu}:users', '{pu}', 'log', '') {
        ok(!eval { redis('EVALSHA', $sha, 1, $key, 'lookup',
                         handle('alice')); 1 }, "key '$key'");
    }

    ok(!eval { redis('EVALSHA', $sha, 0, 'lookup', handle('alice')); 1 },
       'no key');
};


subtest 'prefixes are kept apart' => sub {
    fresh();
    provision('alice');

    my $reply = redis('EVALSHA', $sha, 1, '{other}:log', 'lookup',
                      handle('alice'));
    is($reply->[0], 'none', 'another prefix, other users');

    redis('EVALSHA', $sha, 1, '{a:b}:log', 'accept_store', 'S', '', 'root',
          'cli', '');
    is(redis('HGET', '{a:b}:meta', 'store'), 'S', 'keys of that prefix');
};


subtest 'values are never made part of a command' => sub {
    fresh();

    my $nasty = "a\r\nFLUSHALL\r\n'\"\\\0}{pu}";
    is(provision($nasty, name => $nasty)->[5][0], $nasty, 'name');
    is(lookup($nasty)->[5][4], $nasty, 'subject');

    change('suspend', user_id(1), { actor => $nasty, reason => $nasty });
    is((newest())->[13], $nasty, 'reason');
    is((newest())->[9], $nasty, 'actor');
};


subtest 'a full Redis still lets people be shut off' => sub {
    fresh();
    provision('alice');
    my $id = user_id(1);

    redis('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    redis('CONFIG', 'SET', 'maxmemory', '1');

    like(refused('provision', handle('bob'), user_id(2), $ISSUER, 'bob',
                 'Bob', 'human', '', 'S', ''), qr/^redis: -OOM /,
         'no new user');
    ok(!eval { change('grant', $id, 'admin', 0); 1 }, 'no grant');
    is(user($id, 'version'), 1, 'and nothing of either');

    is(change('suspend', $id)->[0], 'done', 'suspend');
    is(change('revoke', $id)->[0], 'done', 'revoke');
    is(change('delete', $id)->[0], 'done', 'delete');
    is(lookup('alice')->[5][2], 'deleted', 'look-up');

    redis('CONFIG', 'SET', 'maxmemory', '0');
};


subtest 'a replica answers look-ups' => sub {
    fresh();
    provision('alice');

    # A master waits for more replicas before it sends its data; not here.
    eval { redis('CONFIG', 'SET', 'repl-diskless-sync-delay', 0) };

    my $replica = redis_start(config => [
        replicaof => "127.0.0.1 $server->{port}"
    ]);

    my $found;

    for (1 .. 300) {
        $found = eval { $replica->command('EXISTS', '{pu}:log') };
        last if $found;
        select undef, undef, undef, 0.05;
    }

    ok($found, 'replicated');

    is($replica->command('SCRIPT', 'LOAD', script_text()), $sha,
       'loaded there');

    my @call = ('EVALSHA', $sha, 1, '{pu}:log');
    is($replica->command(@call, 'lookup', handle('alice'))->[0], 'found',
       'found');
    is($replica->command(@call, 'lookup', handle('bob'))->[0], 'none',
       'none');
    ok(!eval { $replica->command(@call, 'suspend', user_id(1), '', 'root',
                                 'cli', ''); 1 }, 'no change');
    like($@, qr/^redis: -READONLY /, 'because it is read-only');

    $replica->stop;
};


subtest 'nothing grows without bound' => sub {
    fresh();
    redis('CONFIG', 'RESETSTAT');
    provision('alice');

    my $stats = redis('INFO', 'commandstats');
    like($stats, qr/cmdstat_xadd:calls=1,/, 'one entry');
    unlike($stats, qr/cmdstat_(?:hgetall|keys|smembers|scan)/,
           'no command without a bound');

    redis('EVAL', "for i = 1, 1000500 do "
                  . "redis.call('XADD', KEYS[1], '*', 'x', '') end",
          1, '{pu}:log');
    cmp_ok(entries(), '>', 1_000_500, 'a long log');

    change('suspend', user_id(1));
    cmp_ok(entries(), '<=', 1_000_200, 'is trimmed to about a million');
    cmp_ok(entries(), '>=', 1_000_000, 'and not to less');
};


done_testing();
