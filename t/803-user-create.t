# proxy-user user create, user link, scim-token create: what they write, what
# they print, and what they refuse.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::Redis qw(redis_start);
use ProxyUser::Token qw(handle_digest);

my $ISSUER = 'https://idp.example.com';
my @ID = ('--issuer', $ISSUER, '--subject');

my $server = redis_start();
command_start($server);


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


sub made { my $id = done('create', qw(user create --user-name), @_);
           chomp $id; return $id }

sub entries { redis('XLEN', '{pu}:log') }


subtest 'user create' => sub {
    redis('FLUSHALL');

    my $id = made('Alice@Example.com', qw(--type service --role editor),
                  qw(--role reader --role editor --scope read),
                  qw(--scope write --scope read),
                  qw(--external-id 4711 --expires 2030-01-01), @ID, 'alice',
                  qw(--reason joined));
    like($id, qr/\Au_[A-Za-z0-9_-]{22}\z/, 'prints the id alone');

    my %user = @{ redis('HGETALL', "{pu}:user:$id") };
    is($user{user_name}, 'Alice@Example.com', 'user_name');
    is($user{external_id}, '4711', 'external_id');
    is($user{type}, 'service', 'type');
    is($user{state}, 'active', 'state');
    is($user{source}, 'cli', 'source');
    is($user{scopes}, 'read write', 'scopes, each once');
    is($user{expires}, 1893456000, 'expires');
    is($user{epoch}, 0, 'no epoch');
    like($user{roles}, qr/^editor\@\d+ reader\@\d+$/, 'roles, each once');
    is(redis('HGET', '{pu}:handle:sub:' . handle_digest('alice', $ISSUER),
             'user'), $id, 'its identity leads to it');
    is(entries(), 1, 'one entry');

    for my $who ('name:alice@example.COM', "sub:$ISSUER#alice", $id) {
        like(done('show', qw(user show), $who), qr/^id +\Q$id\E$/m, $who);
    }

    my $json = json('json', qw(user create --user-name bob --expires 1h));
    like($json->{user}, qr/^u_/, 'id in JSON');
    is($json->{user_name}, 'bob', 'and name');
    my $expires = redis('HGET', "{pu}:user:$json->{user}", 'expires');
    cmp_ok(abs($expires - time - 3600), '<', 60, 'a time from now');
    is(redis('HGET', "{pu}:user:$json->{user}", 'scopes'), undef, 'no cap');
};


subtest 'user create is refused' => sub {
    redis('FLUSHALL');
    my $id = made('alice', @ID, 'alice');
    my $before = entries();

    refused("$_->[0]", $_->[1], $_->[2], qw(user create), @$_[3 .. $#$_])
        for (
        ['no name', 2, qr/needs --user-name/],
        ['name', 1, qr/"ALICE" already.*user show/, '--user-name', 'ALICE'],
        ['identity', 1, qr/stands for another user/, '--user-name', 'b', @ID,
         'alice'],
        ['half an identity', 2, qr/--issuer URL and --subject/,
         '--user-name', 'b', '--subject', 'x'],
        ['issuer', 2, qr/"http:\/\/a" is no issuer/, '--user-name', 'b',
         '--issuer', 'http://a', '--subject', 'x'],
        ['type', 2, qr/"robot".*human, service/, '--user-name', 'b',
         '--type', 'robot'],
        ['role', 2, qr/"ADMIN" is no role/, '--user-name', 'b', '--role',
         'ok', '--role', 'ADMIN'],
        ['scope', 2, qr/"a b" is no scope/, '--user-name', 'b', '--scope',
         'a b'],
        ['time', 2, qr/"soon" is no time/, '--user-name', 'b', '--expires',
         'soon'],
        ['past', 2, qr/not to come/, '--user-name', 'b', '--expires',
         '2001-01-01'],
        ['long name', 2, qr/1024 without/, '--user-name', 'x' x 1025],
        ['control', 2, qr/control character/, '--user-name', "a\nb"],
    );

    is(entries(), $before, 'nothing was written');
};


subtest 'user link' => sub {
    redis('FLUSHALL');
    my ($alice, $bob) = (made('alice', @ID, 'a1'), made('bob', @ID, 'b1'));

    like(done('link', qw(user link name:alice), @ID, 'a2'),
         qr/^subject a2 leads to the user now/, 'a new identity');
    is(redis('HGET', "{pu}:user:$alice", 'epoch'), 0, 'revokes nothing');
    is(json('again', qw(user link name:alice), @ID, 'a2')->{changed}, 0,
       'twice is once');
    refused('taken', 1, qr/another user who is not deleted.*#b1' shows who/,
            qw(user link name:alice), @ID, 'b1');
    refused('needs both', 2, qr/needs both/, qw(user link name:alice),
            '--subject', 'x');
    refused('nobody', 1, qr/no user/, qw(user link name:carol), @ID, 'x');

    done('delete', qw(user delete name:bob));
    done('moved', qw(user link name:alice), @ID, 'b1');
    cmp_ok(redis('HGET', "{pu}:user:$alice", 'epoch'), '>', 0,
           'from a deleted user: older tokens are revoked');

    my $next = made('bob');
    done('delete', qw(user delete), $alice);
    made('anna', @ID, 'a1');
    cmp_ok(redis('HGET', '{pu}:user:'
                 . redis('HGET', '{pu}:handle:sub:'
                         . handle_digest('a1', $ISSUER), 'user'), 'epoch'),
           '>', 0, 'user create moves such an identity likewise');
    refused('to a deleted user', 1, qr/deleted/, qw(user link), $alice, @ID,
            'x');
    unlike($next, qr/\Q$bob/, 'an id is never used again');
};


subtest 'scim-token create' => sub {
    my ($token, $line) = split /\n/, done('token', qw(scim-token create),
                                          'entra');
    like($token, qr/^\w{4,}[A-Za-z0-9_-]{40,}$/, 'a token');
    is($line, 'entra:' . sha256_hex($token), 'the line for token_file');

    my $json = json_of((raw(qw(scim-token create okta --json)))[1]);
    is($json->{line}, 'okta:' . sha256_hex($json->{token}), 'in JSON');
    isnt($json->{token}, $token, 'another one');
    refused('name', 2, qr/"a:b" is no name/, qw(scim-token create a:b));
};


done_testing();
