# The operations of the script that give a user keys, certificates and
# identities, or take them away: what they write, what they refuse, and that a
# refusal leaves nothing behind. EVALSHA on a real redis-server; what else the
# script does is in 801-script.t.

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Redis qw(redis_start user_id);
use ProxyUser::Store qw(everything);
use ProxyUser::Token qw(handle_digest b64u);
use Digest::SHA qw(sha256);

my $ISSUER = 'https://idp.example.com';
my ($ALICE, $BOB) = map { user_id($_) } 1, 2;

my $server = redis_start();
my $sha = redis('SCRIPT', 'LOAD', script_text());


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


sub redis { $server->command(@_) }

sub script_text {
    my $text = '';

    for my $file (sort glob dirname(__FILE__) . '/../src/core/change/*.lua') {
        open my $in, '<', $file or die "$file: $!\n";
        local $/;
        $text .= <$in>;
    }

    return $text;
}

sub script { redis('EVALSHA', $sha, 1, '{pu}:log', @_) }

sub change {
    my ($op, $id, @rest) = @_;
    return script($op, $id, '', 'root', 'cli', 'because', @rest);
}

sub digest { b64u(sha256($_[0])) }

sub key { 'key:' . digest("key $_[0]") }

sub cert { 'cert:' . digest("cert $_[0]") }

sub identity { 'sub:' . handle_digest($_[0], $ISSUER) }

# Two users who came by their first token.
sub fresh {
    redis('FLUSHALL');

    for ([$ALICE, 'alice'], [$BOB, 'bob']) {
        my ($id, $sub) = @$_;
        script('provision', identity($sub), $id, $ISSUER, $sub, $sub, 'human',
               '', 'STORE-A', '');
    }
}

my @NONE = ('', '', '', '');

sub add {
    my ($id, $handle, $public, @rest) = @_;
    return change('handle_add', $id, $handle, $public, $rest[0] // '',
                  $rest[1] // 0, @rest > 2 ? @rest[2 .. 5] : @NONE);
}

sub handle { +{ @{ redis('HGETALL', "{pu}:handle:$_[0]") } } }

sub of { [sort @{ redis('SMEMBERS', "{pu}:handles:$_[0]") }] }

sub user { redis('HGET', "{pu}:user:$_[0]", $_[1]) }

sub now { redis('TIME')->[0] }

sub newest { redis('XREVRANGE', '{pu}:log', '+', '-', 'COUNT', 1)->[0][1] }

sub entry {
    my ($op, $id, $handle, $version) = @_;
    return [op => $op, user => $id, handle => $handle, version => $version,
            actor => 'root', source => 'cli', reason => 'because'];
}

# A call that must leave everything as it was; what it answered.
sub leaves_all {
    my ($what, $expected, $call) = @_;
    my $before = everything();

    my $reply = $call->();
    is_deeply($reply, $expected, $what);
    is_deeply(everything(), $before, "$what: nothing was written");
}


subtest 'a key is added' => sub {
    fresh();

    my $time = now();
    is_deeply(add($ALICE, key('a'), 'abcdefghij', 'backup', 3600, 'rsn',
                  'reader', '', '10.0.0.0/8 ::1'), ['done', 2, ''], 'done');

    my $handle = handle(key('a'));
    cmp_ok(delete $handle->{created}, '>=', $time, 'created now');
    cmp_ok($handle->{expires}, '>=', $time + 3600, 'it ends in an hour');
    cmp_ok(delete $handle->{expires}, '<=', now() + 3600, 'and not later');
    is_deeply($handle, { user => $ALICE, id => 'abcdefghij',
                         state => 'active', label => 'backup',
                         roles => 'reader', scopes => '',
                         networks => '10.0.0.0/8 ::1' }, 'its record');
    is(redis('GET', '{pu}:keyid:abcdefghij'), substr(key('a'), 4),
       'its public id leads to it');
    is_deeply(of($ALICE), [sort +identity('alice'), key('a')], 'in the set');
    is_deeply(newest(), entry('handle_add', $ALICE, key('a'), 2), 'logged');
    is(user($ALICE, 'version'), 2, 'a change of its user');

    is(script('lookup', key('a'))->[0], 'found', 'a look-up finds it');
};


subtest 'a key without caps and without an end' => sub {
    fresh();
    add($ALICE, key('a'), 'abcdefghij');

    my $handle = handle(key('a'));
    is_deeply([sort keys %$handle], [qw(created id state user)],
              'has no field of them');
};


subtest 'a key is not added' => sub {
    fresh();
    add($ALICE, key('a'), 'abcdefghij');

    leaves_all('a public id that is taken', ['refused', 2, 'id'],
               sub { add($ALICE, key('b'), 'abcdefghij') });
    leaves_all('a key that is there', ['unchanged', 2, ''],
               sub { add($ALICE, key('a'), 'abcdefghij') });
    leaves_all('a key somebody else has', ['refused', 1, 'taken'],
               sub { add($BOB, key('a'), 'bbbbbbbbbb') });
    leaves_all('nobody', ['not_found', 0, ''],
               sub { add(user_id(9), key('c'), 'cccccccccc') });

    change('handle_revoke', $ALICE, key('a'));
    leaves_all('a revoked key comes not back', ['refused', 3, 'taken'],
               sub { add($ALICE, key('a'), 'dddddddddd') });

    change('delete', $BOB, '', '');
    leaves_all('a deleted user', ['refused', 2, 'deleted'],
               sub { add($BOB, key('b'), 'bbbbbbbbbb') });

    redis('SET', "{pu}:handle:" . key('x'), 1);
    leaves_all('a handle of another type', ['unreadable', 3, 'handle'],
               sub { add($ALICE, key('x'), 'xxxxxxxxxx') });

    redis('DEL', "{pu}:handles:$ALICE");
    redis('SET', "{pu}:handles:$ALICE", 1);
    leaves_all('a set of another type', ['unreadable', 3, 'handles'],
               sub { add($ALICE, key('y'), 'yyyyyyyyyy') });
};


subtest 'so many handles and no more' => sub {
    fresh();
    redis('EVAL', "for i = 1, 9999 do redis.call('SADD', KEYS[1], i) end", 1,
          "{pu}:handles:$ALICE");

    leaves_all('full', ['refused', 1, 'handles'],
               sub { add($ALICE, key('a'), 'abcdefghij') });
    leaves_all('full for an identity', ['refused', 1, 'handles'],
               sub { change('handle_link', $ALICE, identity('x'), $ISSUER,
                            'x') });
};


subtest 'a certificate may be given to another after it was revoked' => sub {
    fresh();
    is(add($ALICE, cert('a'), digest('cert a'))->[0], 'done', 'added');
    ok(!redis('EXISTS', '{pu}:keyid:' . digest('cert a')), 'no key id');
    leaves_all('again', ['unchanged', 2, ''],
               sub { add($ALICE, cert('a'), digest('cert a')) });
    leaves_all('somebody else has it', ['refused', 1, 'taken'],
               sub { add($BOB, cert('a'), digest('cert a')) });

    is(change('handle_revoke', $ALICE, cert('a'))->[0], 'done', 'revoked');
    is(add($BOB, cert('a'), digest('cert a'))->[0], 'done', 'then Bob\'s');
    is(handle(cert('a'))->{user}, $BOB, 'his');
    is_deeply(of($ALICE), [identity('alice')], 'not hers');
    is_deeply(of($BOB), [sort +identity('bob'), cert('a')], 'in his set');

    change('handle_revoke', $BOB, cert('a'));
    is(add($BOB, cert('a'), digest('cert a'))->[0], 'done', 'his again');
    is(handle(cert('a'))->{state}, 'active', 'active');
};


subtest 'revoking' => sub {
    fresh();
    add($ALICE, key('a'), 'abcdefghij');

    leaves_all('of the wrong user', ['not_found', 0, 'handle'],
               sub { change('handle_revoke', $BOB, key('a')) });
    leaves_all('of nobody', ['not_found', 0, 'handle'],
               sub { change('handle_revoke', '', key('z')) });

    is_deeply(change('handle_revoke', '', key('a')), ['done', 3, ''], 'done');
    is(handle(key('a'))->{state}, 'revoked', 'revoked');
    is_deeply(newest(), entry('handle_revoke', $ALICE, key('a'), 3),
              'logged');
    leaves_all('again', ['unchanged', 3, ''],
               sub { change('handle_revoke', '', key('a')) });

    # A key must go off whatever has become of its user.

    add($ALICE, key('b'), 'bbbbbbbbbb');
    redis('HSET', "{pu}:user:$ALICE", 'state', 'nonsense');
    is(change('handle_revoke', '', key('b'))->[0], 'done', 'a broken user');

    add($BOB, key('c'), 'cccccccccc');
    redis('DEL', "{pu}:user:$BOB");
    is(change('handle_revoke', '', key('c'))->[0], 'done', 'a lost user');
    is(handle(key('c'))->{state}, 'revoked', 'revoked');
    ok(!redis('EXISTS', "{pu}:user:$BOB"), 'no half-made user');
    is(+{ @{ newest() } }->{handle}, key('c'), 'logged');
};


subtest 'rotation' => sub {
    fresh();
    add($ALICE, key('a'), 'aaaaaaaaaa', 'backup', 1000, 'rn', 'reader', '',
        '::1');
    redis('HSET', '{pu}:handle:' . key('a'), 'created', now() - 500,
          'expires', now() + 500);

    my $time = now();
    is_deeply(change('handle_rotate', $ALICE, key('a'), key('b'),
                     'bbbbbbbbbb', 60), ['done', 4, ''], 'done');

    my $new = handle(key('b'));
    cmp_ok(abs($new->{expires} - $time - 1000), '<=', 3, 'lives as long');
    delete @$new{qw(created expires)};
    is_deeply($new, { user => $ALICE, id => 'bbbbbbbbbb', state => 'active',
                      label => 'backup', roles => 'reader',
                      networks => '::1' }, 'with the same caps and label');
    is(redis('GET', '{pu}:keyid:bbbbbbbbbb'), substr(key('b'), 4), 'its id');

    my $old = handle(key('a'));
    is($old->{state}, 'active', 'the old one works');
    cmp_ok(abs($old->{expires} - $time - 60), '<=', 3, 'for a minute');

    is_deeply([map { +{ @{ $_->[1] } }->{op} }
               @{ redis('XREVRANGE', '{pu}:log', '+', '-', 'COUNT', 2) }],
              ['handle_add', 'update'], 'an entry for each');

    is(change('handle_rotate', $ALICE, key('b'), key('c'), 'cccccccccc',
              99999)->[0], 'done', 'a long overlap');
    cmp_ok(handle(key('b'))->{expires}, '<=', $time + 1003,
           'never lets the old one live longer than it would');

    is(change('handle_rotate', $ALICE, key('c'), key('d'), 'dddddddddd',
              0)->[0], 'done', 'no overlap');
    is(handle(key('c'))->{state}, 'revoked', 'revokes the old one');

    leaves_all('a revoked key', ['refused', 8, 'revoked'],
               sub { change('handle_rotate', $ALICE, key('c'), key('e'),
                            'eeeeeeeeee', 0) });
    leaves_all('a key of somebody else', ['not_found', 1, 'handle'],
               sub { change('handle_rotate', $BOB, key('d'), key('e'),
                            'eeeeeeeeee', 0) });
    leaves_all('a public id that is taken', ['refused', 8, 'id'],
               sub { change('handle_rotate', $ALICE, key('d'), key('e'),
                            'aaaaaaaaaa', 0) });

    redis('HSET', '{pu}:handle:' . key('d'), 'expires', $time - 1);
    leaves_all('an expired key', ['refused', 8, 'expired'],
               sub { change('handle_rotate', $ALICE, key('d'), key('e'),
                            'eeeeeeeeee', 0) });
};


subtest 'an identity is linked' => sub {
    fresh();

    is_deeply(change('handle_link', $ALICE, identity('alice2'), $ISSUER,
                     'alice2'), ['done', 2, ''], 'a new one');
    is(user($ALICE, 'subject'), 'alice', 'the first stays her own');
    is(user($ALICE, 'epoch'), 0, 'no token is revoked by it');
    is(script('lookup', identity('alice2'))->[4][0], $ALICE, 'found');
    is(handle(identity('alice2'))->{id}, substr(identity('alice2'), 0, 20),
       'its public id');
    is_deeply(newest(), entry('handle_add', $ALICE, identity('alice2'), 2),
              'logged');

    leaves_all('hers already', ['unchanged', 2, ''],
               sub { change('handle_link', $ALICE, identity('alice2'),
                            $ISSUER, 'alice2') });
    leaves_all('of an undeleted user', ['refused', 2, 'taken'],
               sub { change('handle_link', $ALICE, identity('bob'), $ISSUER,
                            'bob') });

    change('suspend', $BOB);
    leaves_all('of a suspended user', ['refused', 2, 'taken'],
               sub { change('handle_link', $ALICE, identity('bob'), $ISSUER,
                            'bob') });

    change('delete', $BOB, '', '');

    my $time = now();
    is(change('handle_link', $ALICE, identity('bob'), $ISSUER, 'bob')->[0],
       'done', 'of a deleted user');
    cmp_ok(user($ALICE, 'epoch'), '>=', $time, 'revokes what he was given');
    is_deeply(of($BOB), [], 'he has it no more');
    is(user($BOB, 'state'), 'deleted', 'and stays deleted');

    leaves_all('to a deleted user', ['refused', 3, 'deleted'],
               sub { change('handle_link', $BOB, identity('carol'), $ISSUER,
                            'carol') });

    redis('HSET', "{pu}:user:$BOB", 'state', 'nonsense');
    redis('HSET', '{pu}:handle:' . identity('bob'), 'user', $BOB);
    leaves_all('of a user who cannot be read', ['unreadable', 3, 'handle'],
               sub { change('handle_link', $ALICE, identity('bob'), $ISSUER,
                            'bob') });
};


# A user as a directory makes it.
sub provisioned {
    my ($id, %field) = @_;

    redis('HSET', "{pu}:user:$id", state => 'active', roles => '',
          version => 1, created => 1000, %field);
    redis('ZADD', '{pu}:users', 1000, $id);
    redis('SET', '{pu}:name:' . digest('carol'), $id);
}

sub adopt {
    my ($sub, %with) = @_;

    return script('adopt', identity($sub), $ISSUER, $sub,
                  $with{kind} // 'name', digest($with{claim} // 'carol'),
                  $with{iat} // 1001, $with{seen} // '', $with{jti} // '');
}


subtest 'a first token finds its provisioned user' => sub {
    my $id = user_id(3);

    fresh();
    provisioned($id);

    my $reply = adopt('carol');
    is($reply->[0], 'found', 'found');
    is($reply->[1], 'STORE-A', 'with the store');
    is($reply->[3], 0, 'nobody was made');
    is($reply->[4][0], $id, 'this user');
    is($reply->[5][3], $ISSUER, 'issuer');
    is($reply->[5][4], 'carol', 'and subject are the user\'s now');
    is_deeply(of($id), [identity('carol')], 'in the set');
    is(+{ @{ newest() } }->{handle}, identity('carol'), 'logged');
    is(+{ @{ newest() } }->{actor}, 'token', 'by a token');

    my $before = everything();
    is(adopt('carol', claim => 'other', iat => '')->[4][0], $id,
       'from then on by issuer and subject');
    is_deeply(everything(), $before, 'which writes nothing');
};


subtest 'a first token finds nobody' => sub {
    my $id = user_id(3);
    my $none = ['none', 'STORE-A', undef, 0, [], []];

    fresh();
    provisioned($id);

    leaves_all(@$_) for (
        ['another name', $none, sub { adopt('carol', claim => 'dave') }],
        ['another index', $none, sub { adopt('carol', kind => 'external') }],
        ['a token as old as the user', $none,
         sub { adopt('carol', iat => 1000) }],
        ['a token without a time', $none, sub { adopt('carol', iat => '') }],
    );

    redis('HSET', "{pu}:user:$id", 'state', 'deleted');
    leaves_all('a deleted user', $none, sub { adopt('carol') });
    redis('HSET', "{pu}:user:$id", 'state', 'active');

    my $jti = digest('a name');

    redis('SET', "{pu}:jti:$jti", 'revoked');
    leaves_all('a revoked token',
               ['revoked', 'STORE-A', undef, 0, [], []],
               sub { adopt('carol', jti => $jti) });

    is(adopt('carol', seen => 'STORE-B')->[0], 'foreign',
       'another store than was seen');
    is(adopt('carol', seen => 'STORE-A')->[0], 'found', 'the store');
    leaves_all('a second identity', $none, sub { adopt('carol2') });

    redis('SET', '{pu}:name:' . digest('carol'), user_id(9));
    is(adopt('dave')->[0], 'unreadable', 'an index that leads to nobody');
};


subtest 'calls that break the contract' => sub {
    fresh();

    my $before = everything();
    my @ok = ($ALICE, '', 'root', 'cli', '', key('a'), 'abcdefghij');

    for (
        ['handle_add', @ok],
        ['handle_add', @ok[0 .. 4], identity('x'), '', '', 0, @NONE],
        ['handle_add', @ok[0 .. 5], 'ABC', '', 0, @NONE],
        ['handle_add', @ok, '', -1, @NONE],
        ['handle_add', @ok, 'x' x 256, 0, @NONE],
        ['handle_add', @ok, '', 0, 'x', '', '', ''],
        ['handle_add', @ok, '', 0, 'r', 'ADMIN', '', ''],
        ['handle_add', @ok, '', 0, 's', '', "a\nb", ''],
        ['handle_add', @ok, '', 0, 'n', '', '', 'office'],
        ['handle_add', @ok, '', 0, 'n', '', '', '1' x 1801],
        ['handle_rotate', @ok, 'abcdefghij', 0],
        ['handle_rotate', @ok[0 .. 5], key('b'), 'abcdefghij', 'soon'],
        ['handle_link', @ok[0 .. 5], $ISSUER, 'x'],
        ['handle_link', @ok[0 .. 4], identity('x'), $ISSUER, ''],
        ['handle_revoke', @ok[0 .. 4], 'key:x'],
        ['adopt', key('a'), $ISSUER, 'x', 'name', digest('x'), '', '',
         ''],
        ['adopt', identity('a'), $ISSUER, 'x', 'user', digest('x'), '', '',
         ''],
        ['adopt', identity('a'), $ISSUER, 'x', 'name', digest('x'), '', '',
         'x'],
    ) {
        my @call = @$_;
        ok(!eval { script(@call); 1 }, "@call[0 .. 1]");
        like($@, qr/ERR change\.lua: /, 'says so');
    }

    is_deeply(everything(), $before, 'nothing was written');
};


subtest 'a full Redis still lets a key be revoked' => sub {
    fresh();
    add($ALICE, key('a'), 'aaaaaaaaaa');
    redis('CONFIG', 'SET', 'maxmemory', '1');

    ok(!eval { add($ALICE, key('b'), 'bbbbbbbbbb'); 1 }, 'no new one');
    like($@, qr/OOM/, 'for want of memory');
    is(change('handle_revoke', '', key('a'))->[0], 'done', 'revoked');

    redis('CONFIG', 'SET', 'maxmemory', '0');
};


subtest 'deleting a user takes keys and their ids along' => sub {
    fresh();
    add($ALICE, key('a'), 'aaaaaaaaaa');
    add($ALICE, cert('a'), digest('cert a'));
    redis('SET', '{pu}:used:aaaaaaaaaa', 1);

    change('delete', $ALICE, '', '');
    is_deeply(of($ALICE), [identity('alice')], 'the identity stays');
    ok(!redis('EXISTS', $_), "$_ is gone")
        for "{pu}:handle:" . key('a'), "{pu}:handle:" . cert('a'),
            '{pu}:keyid:aaaaaaaaaa', '{pu}:used:aaaaaaaaaa';
};


done_testing();
