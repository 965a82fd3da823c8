# proxy-user key and cert: what they print, write and refuse. What nginx makes
# of keys is in 018-api-key.t.

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use File::Basename qw(dirname);
use Test::More;

use lib dirname(__FILE__) . '/lib';
use ProxyUser::Command;
use ProxyUser::Redis qw(redis_start user_id seed_user);
use ProxyUser::Token qw(b64u);

my $DATA = dirname(__FILE__) . '/data';
my $ALICE = user_id(1);
my $BOB = user_id(2);

my $server = redis_start();
command_start($server);


END {
    local $?;
    ProxyUser::Redis::stop_all();
}


sub key { my $key = done('create', qw(key create), @_);
          chomp $key; return $key }

sub id { substr $_[0], 4, 10 }

sub record { my $digest = redis('GET', '{pu}:keyid:' . id($_[0]));
             return +{ @{ redis('HGETALL', "{pu}:handle:key:$digest") } } }

sub everything {
    return join "\n", map { my $type = redis('TYPE', $_);
        join ' ', $_, $type eq 'hash' ? @{ redis('HGETALL', $_) }
            : $type eq 'set' ? @{ redis('SMEMBERS', $_) }
            : $type eq 'string' ? redis('GET', $_)
            : $type eq 'stream' ? map { @{ $_->[1] } }
                  @{ redis('XRANGE', $_, '-', '+') } : ()
    } @{ redis('KEYS', '*') };
}


subtest 'key create' => sub {
    fresh();

    my $key = key($ALICE, qw(--label nightly --expires 90d --role reader),
                  qw(--role reader --scope a --scope b --scope a),
                  qw(--network 10.0.0.0/8 --network ::1 --network ::1));
    like($key, qr/\Apuk_[a-z0-9]{10}_[A-Za-z0-9_-]{43}[0-9a-f]{6}\z/,
         'prints the key alone');
    is(substr($key, 58), substr(sha256_hex(substr $key, 0, 58), 0, 6),
       'with its check');

    my $record = record($key);
    is($record->{label}, 'nightly', 'label');
    is($record->{roles}, 'reader', 'roles');
    is($record->{scopes}, 'a b', 'scopes');
    is($record->{networks}, '10.0.0.0/8 ::1', 'networks');
    is($record->{expires} - $record->{created}, 90 * 86400, 'expires');
    ok(index(everything(), substr $key, 15, 43) < 0,
       'Redis has no secret of it');

    my $json = json('json', qw(key create), $ALICE);
    is(id($json->{key}), $json->{id}, 'id in JSON');
    is($json->{user}, $ALICE, 'and user');
};


subtest 'key list' => sub {
    fresh();
    is_deeply(json('none', qw(key list), $ALICE), { user => $ALICE,
              keys => [] }, 'none');

    my ($key, $old) = (key($ALICE, '--label', 'one'), key($ALICE));
    done('revoke', qw(key revoke), id($old));
    redis('SET', '{pu}:used:' . id($key), 1000);

    my @line = split /\n/, done('list', qw(key list), $ALICE);
    is(@line, 3, 'a heading and two');
    my ($line) = grep { /\Q@{[id($key)]}/ } @line;
    like($line, qr/ active +one .* 1970-01-01T00:16:40Z /, 'one');
    ok(!grep({ /puk_|\Q@{[substr $key, 15, 43]}/ } @line), 'no secret');

    my %by = map { $_->{id} => $_ }
        @{ json('json', qw(key list), $ALICE)->{keys} };
    is($by{id($old)}{state}, 'revoked', 'revoked');
    is($by{id($key)}{used}, 1000, 'last use');
};


subtest 'key rotate and revoke' => sub {
    fresh();
    my $key = key($ALICE, qw(--role reader --label x));
    my $new = done('rotate', qw(key rotate), id($key));
    chomp $new;

    isnt(id($new), id($key), 'another key');
    is(record($new)->{roles}, 'reader', 'the same caps');
    cmp_ok(abs(record($key)->{expires} - time - 86400), '<', 60,
           'a day of overlap by default');
    done('rotate', qw(key rotate), id($new), qw(--overlap 0s));
    is(record($new)->{state}, 'revoked', 'no overlap');

    my $first = key($ALICE, qw(--expires 90d));
    done('once', qw(key rotate), id($first), qw(--overlap 1h));
    my $second = done('and again', qw(key rotate), id($first));
    chomp $second;
    cmp_ok(record($second)->{expires} - time, '>', 89 * 86400,
           'a second successor lives as long as the first');
    my $forever = done('no end', qw(key rotate), id($key));
    chomp $forever;
    is(record($forever)->{expires}, undef, 'or without an end');

    like(done('revoke', qw(key revoke), $key), qr/is revoked/,
         'a whole key may be named');
    like(done('again', qw(key revoke), id($key)), qr/already/, 'twice');

    refused('rotate', 1, qr/it is revoked/, qw(key rotate), id($key));
    refused('unknown', 1, qr/no key zzzzzzzzzz/, qw(key revoke zzzzzzzzzz));
    my $err = refused('mangled', 2, qr/no KEYID/, qw(key revoke), "$key-");
    unlike($err, qr/\Q@{[substr $key, 15, 43]}/, 'and not repeated');
    refused('overlap', 2, qr/"soon".*--overlap/, qw(key rotate), id($key),
            qw(--overlap soon));
};


subtest 'key create is refused' => sub {
    fresh();
    done('delete', qw(user delete), $ALICE);
    my $before = redis('XLEN', '{pu}:log');

    refused("$_->[0]", $_->[1], $_->[2], qw(key create), @$_[3 .. $#$_])
        for (
        ['nobody', 2, qr/needs WHO/],
        ['unknown', 1, qr/no user/, user_id(9)],
        ['deleted', 1, qr/user is deleted/, $ALICE],
        ['network', 2, qr/"office" is no network/, $ALICE, '--network',
         'office'],
        ['host bits', 2, qr/bits behind its prefix/, $ALICE, '--network',
         '10.0.0.1/8'],
        ['role', 2, qr/no role/, $ALICE, '--role', 'A'],
        ['label', 2, qr/255/, $ALICE, '--label', 'x' x 256],
        ['time', 2, qr/100y/, $ALICE, '--expires', '200y'],
        ['too much', 2, qr/1800 bytes/, $ALICE,
         map { ('--scope', $_ . 'x' x 200) } 'a' .. 'j'],
    );

    is(redis('XLEN', '{pu}:log'), $before, 'nothing was written');
};


subtest 'cert' => sub {
    fresh();
    seed_user(id => $BOB, sub => 'bob', on => $server);

    my $pem = "$DATA/tls-client.pem";
    my $der = `openssl x509 -in $pem -outform DER`;
    my $digest = b64u(sha256($der));
    my $hex = uc join ':', unpack '(A2)*', sha256_hex($der);

    like(done('add', qw(cert add), $ALICE, $pem, qw(--label host)),
         qr/\Q$digest/, 'its digest');
    is(redis('HGET', "{pu}:handle:cert:$digest", 'user'), $ALICE, 'hers');
    is(json('again', qw(cert add), $ALICE, $pem)->{changed}, 0, 'once');
    refused('taken', 1, qr/another user/, qw(cert add), $BOB, $pem);
    is(json('list', qw(cert list), $ALICE)->{certificates}[0]{id}, $digest,
       'listed');
    refused('not his', 1, qr/no certificate/, qw(cert revoke), $BOB, $hex);
    like(done('revoke', qw(cert revoke), $ALICE, $hex), qr/is revoked/,
         'by its digest in hex');
    done('his now', qw(cert add), $BOB, $pem);
    like(done('revoke', qw(cert revoke), $BOB, $digest), qr/is revoked/,
         'in base64url');

    refused('no file', 2, qr/nowhere/, qw(cert add), $ALICE, 'nowhere');
    refused('no certificate', 2, qr/no certificate in PEM/, qw(cert add),
            $ALICE, "$DATA/rsa1.pem");
    refused('digest', 2, qr/"abc" is no digest/, qw(cert revoke), $ALICE,
            'abc');
};


done_testing();
